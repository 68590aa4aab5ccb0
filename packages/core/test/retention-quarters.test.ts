import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { reasonText, type RetentionPolicy } from '../dist/index.js';
import { retain } from '../dist/retention/retain.js';
import { Seeded } from '../dist/testing/seeded.js';
import { seriesTimesUs, ZONES } from '../dist/testing/series-times.js';

const SERIES = 300;
const SCRIPT = fileURLToPath(new URL('./support/quarterly-retention.py', import.meta.url));
const OTHERS = ['daily', 'weekly', 'monthly', 'yearly'] as const;

interface Case {
  readonly zone: string;
  readonly policy: RetentionPolicy;
  readonly timesUs: readonly number[];
}

/** A quarterly rule, with some of the others. Times reach over years. */
function caseOf(number: number): Case {
  const numbers = new Seeded(`quarters ${number}`);
  const count = (): number => (numbers.below(8) === 0 ? -1 : 1 + numbers.below(6));
  const others = OTHERS.filter(() => numbers.below(3) === 0).map((rule) => [rule, count()] as const);
  const quarter = numbers.oneOf(['13weekly', '3monthly']);
  const policy = { ...Object.fromEntries(others), [quarter]: count() };
  const near = seriesTimesUs(numbers);
  const last = near.at(-1) ?? 0;
  const far = Array.from({ length: numbers.below(60) }, () => last - numbers.below(6 * 365 * 24) * 3_600_000_000);
  const timesUs = [...far, ...near].toSorted((a, b) => a - b);
  return { zone: numbers.oneOf(ZONES), policy, timesUs };
}

function documented(cases: readonly Case[]): (string | null)[][] {
  const input = JSON.stringify({ cases: cases.map(({ policy: rules, ...rest }) => ({ ...rest, rules })) });
  const { status, stdout, stderr } = spawnSync('/usr/bin/python3', [SCRIPT], { input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Python (package python3) is asked what the documentation of Borg says: ${stderr}`);
  return JSON.parse(stdout) as (string | null)[][];
}

/** Per archive, oldest first: the rule and its number, or null when it goes. */
function ours({ zone, policy, timesUs }: Case): (string | null)[] {
  const archives = timesUs.map((us, i) => ({ timeMs: us / 1000, seq: i + 1, complete: true, protect: false }));
  const verdicts = retain(archives, { policy, timeZone: zone, nowMs: (timesUs.at(-1) ?? 0) / 1000 });
  const text = new Map(
    verdicts.map(({ archive, reasons: [reason] }) => {
      if (reason === undefined) return [archive.seq, null];
      const { of: _, ...shown } = reason;
      return [archive.seq, reasonText(shown)];
    }),
  );
  return archives.map(({ seq }) => text.get(seq) ?? null);
}

describe('quarters of 13 weeks and of 3 months', () => {
  it(`keep of ${SERIES} series what the documentation of Borg says, and for its reason`, () => {
    const cases = Array.from({ length: SERIES }, (_, i) => caseOf(i));
    const wanted = documented(cases);
    cases.forEach((one, i) => expect(ours(one), JSON.stringify(one)).toEqual(wanted[i]));
    // Else there was nothing to disagree about.
    expect(wanted.flat().filter((because) => because === null).length).toBeGreaterThan(SERIES);
    expect(wanted.flat().filter((because) => /^(13weekly|3monthly)/.test(because ?? '')).length).toBeGreaterThan(
      SERIES,
    );
  });
});
