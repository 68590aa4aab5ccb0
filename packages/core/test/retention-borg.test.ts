import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import type { RetentionPolicy } from '../dist/index.js';
import { PERIOD_RULES } from '../dist/retention/policy.js';
import { retain } from '../dist/retention/retain.js';
import { Seeded } from '../dist/testing/seeded.js';
import { seriesTimesUs, ZONES } from '../dist/testing/series-times.js';

const SERIES = 600;
/** Of one repository: borg goes through all its archives for each series. */
const SERIES_TOGETHER = 20;
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('./support/borg-prune.py', import.meta.url));
/** In memory where that is possible: borg waits for the disk. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

interface Case {
  readonly name: string;
  readonly zone: string;
  readonly nowUs: number;
  readonly policy: RetentionPolicy;
  readonly timesUs: readonly number[];
}

interface Answer {
  readonly version: string;
  readonly rules: readonly string[];
  /** Per archive: the rule that keeps it and its number as borg lists them, or null when it would be pruned. */
  readonly verdicts: ReadonlyMap<string, string | null>;
}

/** What borg calls our rules. */
const BORG_RULE: Readonly<Record<string, string>> = {
  '13weekly': 'quarterly_13weekly',
  '3monthly': 'quarterly_3monthly',
};

const archiveName = (name: string, number: number): string => `${name}-${String(number).padStart(3, '0')}`;

/** Has borg list what it would prune, one command for each series. */
function ask(cases: readonly Case[]): Answer {
  const series = cases.map(({ policy, ...rest }) => ({
    ...rest,
    options: Object.entries(policy).map(([rule, value]) => `--keep-${rule}=${value}`),
  }));
  const repositories: (typeof series)[] = [];
  for (let at = 0; at < series.length; at += SERIES_TOGETHER) {
    repositories.push(series.slice(at, at + SERIES_TOGETHER));
  }
  const directory = mkdtempSync(join(SCRATCH, 'cairn-borg-'));
  try {
    const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT], {
      env: {
        PATH: process.env['PATH'] ?? '',
        BORG_BASE_DIR: directory,
        BORG_SELFTEST: 'disabled',
        BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
      },
      input: JSON.stringify(repositories),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    if (status !== 0) throw new Error(`borg is run through its Python modules (package borgbackup): ${stderr}`);
    return { ...(JSON.parse(stdout) as Pick<Answer, 'version' | 'rules'>), verdicts: verdictsOf(stderr) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `Keeping archive (rule: daily #3):   series7-012   Sat, 2026-11-21 03:00:00 […]`, or `Would prune:   series7-011 …`. */
function verdictsOf(listing: string): Map<string, string | null> {
  const verdicts = new Map<string, string | null>();
  for (const line of listing.split('\n')) {
    const [, rule, number, archive] =
      /^(?:Keeping archive \(rule: (\S+) #(\d+)\)|Would prune): +(\S+) /.exec(line) ?? [];
    if (archive !== undefined) verdicts.set(archive, rule === undefined ? null : `${rule} ${number}`);
  }
  return verdicts;
}

/** Per archive, oldest first: the rule and its number as borg writes them, or null when it goes. */
function ours({ zone, nowUs, policy, timesUs }: Case): (string | null)[] {
  const archives = timesUs.map((us, i) => ({ timeMs: us / 1000, seq: i + 1, complete: true, protect: false }));
  const verdicts = retain(archives, { policy, timeZone: zone, nowMs: nowUs / 1000 });
  let within = 0;
  const bySeq = new Map(
    verdicts.map(({ archive, reasons }) => {
      const [reason] = reasons;
      if (reason === undefined) return [archive.seq, null];
      // Borg numbers what `within` keeps, too.
      if (reason.rule === 'within') return [archive.seq, `within ${(within += 1)}`];
      const { rule, number = 0, oldest } = reason;
      const theirs = BORG_RULE[rule] ?? (rule === 'last' ? 'secondly' : rule);
      return [archive.seq, `${theirs}${oldest === true ? '[oldest]' : ''} ${number}`];
    }),
  );
  return archives.map(({ seq }) => bySeq.get(seq) ?? null);
}

/** A policy with some of the rules. */
function policyOf(numbers: Seeded, rules: readonly string[]): RetentionPolicy {
  const policy: Partial<Record<(typeof PERIOD_RULES)[number], number>> = {};
  for (const rule of PERIOD_RULES) {
    if (!rules.includes(BORG_RULE[rule] ?? rule) || numbers.below(5) < 3) continue;
    if (rule === '3monthly' && policy['13weekly'] !== undefined) continue;
    policy[rule] = numbers.below(12) === 0 ? -1 : 1 + numbers.below(8);
  }
  const within = numbers.below(4) === 0 ? { within: withinOf(numbers) } : {};
  return Object.keys(policy).length === 0 ? { daily: 7, weekly: 8, monthly: 4, ...within } : { ...policy, ...within };
}

function withinOf(numbers: Seeded): string {
  const [unit, most] = numbers.oneOf([
    ['H', 90],
    ['d', 60],
    ['w', 12],
    ['m', 6],
    ['y', 2],
  ] as const);
  return `${1 + numbers.below(most)}${unit}`;
}

/** `last` in the place of `secondly` where no two archives are of one second: Borg asks for that. */
function withLast({ secondly, ...policy }: RetentionPolicy, timesUs: readonly number[]): RetentionPolicy {
  if (secondly === undefined) return policy;
  const seconds = new Set(timesUs.map((us) => Math.floor(us / 1e6)));
  return seconds.size === timesUs.length ? { ...policy, last: secondly } : { ...policy, secondly };
}

describe('retention and `borg prune --dry-run --list`', () => {
  it(`agree on every archive of ${SERIES} series, and on the reason`, { timeout: 300_000 }, () => {
    const { rules } = ask([]);
    const cases = Array.from({ length: SERIES }, (_, i): Case => {
      const numbers = new Seeded(`borg ${i}`);
      const timesUs = seriesTimesUs(numbers);
      const nowUs = (timesUs.at(-1) ?? 0) + numbers.below(3) * 86_400_000_000;
      const policy = withLast(policyOf(numbers, rules), timesUs);
      return { name: `series${i}`, zone: numbers.oneOf(ZONES), nowUs, policy, timesUs };
    });
    const { verdicts, version } = ask(cases);
    for (const one of cases) {
      const theirs = one.timesUs.map((_, k) => verdicts.get(archiveName(one.name, k)));
      expect(ours(one), `borg ${version}, ${JSON.stringify(one)}`).toEqual(theirs);
    }
    // Else there was nothing to disagree about.
    expect([...verdicts.values()].filter((because) => because === null).length).toBeGreaterThan(SERIES);
  });
});
