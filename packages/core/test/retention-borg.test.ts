import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { reasonText, type RetentionPolicy } from '../dist/index.js';
import { PERIOD_RULES } from '../dist/retention/policy.js';
import { retain } from '../dist/retention/retain.js';
import { Seeded } from '../dist/testing/seeded.js';
import { seriesTimesUs, ZONES } from '../dist/testing/series-times.js';

/** Series that are compared with borg's functions; and those for which the command itself is run. */
const SERIES = 600;
const COMMAND_SERIES = 20;
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('./support/borg-retention.py', import.meta.url));
const COMMANDS = fileURLToPath(new URL('./support/borg-commands.py', import.meta.url));

interface Case {
  readonly zone: string;
  readonly nowUs: number;
  readonly policy: RetentionPolicy;
  readonly timesUs: readonly number[];
}

interface Answer {
  readonly version: string;
  readonly rules: readonly string[];
  readonly kept: readonly (readonly (readonly [rule: string, number: number] | null)[])[];
}

/** What borg calls our rules. */
const BORG_RULE: Readonly<Record<string, string>> = {
  '13weekly': 'quarterly_13weekly',
  '3monthly': 'quarterly_3monthly',
};
const borgRule = (rule: string): string => BORG_RULE[rule] ?? rule;

const rulesOf = (policy: RetentionPolicy): Record<string, number> =>
  Object.fromEntries(PERIOD_RULES.map((rule) => [borgRule(rule), policy[rule] ?? 0]));

function ask(cases: readonly Case[]): Answer {
  const given = cases.map(({ zone, nowUs, policy, timesUs }) => ({
    zone,
    nowUs,
    within: policy.within === undefined ? null : Number(policy.within.slice(0, -1)) * 86_400,
    // `--keep-last` is another name of `--keep-secondly` there.
    rules: { ...rulesOf(policy), ...(policy.last === undefined ? {} : { secondly: policy.last }) },
    timesUs,
  }));
  const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT], {
    input: JSON.stringify({ cases: given }),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`borg is asked through its Python modules (package borgbackup): ${stderr}`);
  return JSON.parse(stdout) as Answer;
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
      return [
        archive.seq,
        reasonText({
          rule: reason.rule === 'last' ? 'secondly' : reason.rule,
          number: reason.number ?? 0,
          ...(reason.oldest && { oldest: true }),
        }),
      ];
    }),
  );
  return archives.map(({ seq }) => bySeq.get(seq) ?? null);
}

/** A policy with some of the rules. */
function policyOf(numbers: Seeded, rules: readonly string[]): RetentionPolicy {
  const policy: Partial<Record<(typeof PERIOD_RULES)[number], number>> = {};
  for (const rule of PERIOD_RULES) {
    if (!rules.includes(borgRule(rule)) || numbers.below(5) < 3) continue;
    if (rule === '3monthly' && policy['13weekly'] !== undefined) continue;
    policy[rule] = numbers.below(12) === 0 ? -1 : 1 + numbers.below(8);
  }
  const within = numbers.below(4) === 0 ? { within: `${1 + numbers.below(60)}d` } : {};
  return Object.keys(policy).length === 0 ? { daily: 7, weekly: 8, monthly: 4, ...within } : { ...policy, ...within };
}

/** `last` in the place of `secondly` where no two archives are of one second: Borg asks for that. */
function withLast({ secondly, ...policy }: RetentionPolicy, timesUs: readonly number[]): RetentionPolicy {
  if (secondly === undefined) return policy;
  const seconds = new Set(timesUs.map((us) => Math.floor(us / 1e6)));
  return seconds.size === timesUs.length ? { ...policy, last: secondly } : { ...policy, secondly };
}

describe('retention and the installed borg', () => {
  it(`agree on every archive of ${SERIES} series, and on the reason`, () => {
    const { rules } = ask([]);
    const cases = Array.from({ length: SERIES }, (_, i): Case => {
      const numbers = new Seeded(`borg ${i}`);
      const timesUs = seriesTimesUs(numbers);
      const nowUs = (timesUs.at(-1) ?? 0) + numbers.below(3) * 86_400_000_000;
      return { zone: numbers.oneOf(ZONES), nowUs, policy: withLast(policyOf(numbers, rules), timesUs), timesUs };
    });
    const { kept, version } = ask(cases);
    let removed = 0;
    cases.forEach((one, i) => {
      const theirs = (kept[i] ?? []).map((because) => because && plainRule(because).join(' '));
      expect(ours(one), `borg ${version}, ${JSON.stringify(one)}`).toEqual(theirs);
      removed += theirs.filter((because) => because === null).length;
    });
    // Else there was nothing to disagree about.
    expect(removed).toBeGreaterThan(SERIES);
  });
});

/** Our name of borg's rule. */
function plainRule([rule, number]: readonly [string, number]): [string, number] {
  for (const [plain, borg] of Object.entries(BORG_RULE)) {
    if (rule === borg || rule === `${borg}[oldest]`) return [rule.replace(borg, plain), number];
  }
  return [rule, number];
}

/** In memory where that is possible: borg waits for the disk after each archive. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const LOCAL = 'Europe/Amsterdam';

/** Short series in whole seconds, as `borg create --timestamp` takes them. */
function commandCases(nowUs: number): Case[] {
  return Array.from({ length: COMMAND_SERIES }, (_, i) => {
    const numbers = new Seeded(`borg command ${i}`);
    const times = seriesTimesUs(numbers)
      .slice(0, 5)
      .map((us) => Math.floor(us / 1e6) * 1_000_000);
    // Near to now, so that `--keep-within` has something to keep.
    const shift = i % 2 === 0 ? 0 : Math.floor((nowUs - (times.at(-1) ?? 0)) / 1e6 - 60) * 1_000_000;
    const rules = ['secondly', 'minutely', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'];
    return { zone: LOCAL, nowUs, policy: policyOf(numbers, rules), timesUs: times.map((us) => us + shift) };
  });
}

/** Per series and archive, oldest first, whether borg would keep it. All in one process: borg takes half a second to start. */
function borgPrunes(directory: string, cases: readonly Case[]): (boolean | undefined)[][] {
  const input = cases.map(({ timesUs, policy }, i) => ({
    archives: timesUs.map((us, k) => [
      `series${i}-${String(k).padStart(3, '0')}`,
      new Date(us / 1000).toISOString().slice(0, 19),
    ]),
    rules: [
      `--glob-archives=series${i}-*`,
      ...Object.entries(policy).map(([rule, value]) => `--keep-${rule}=${value}`),
    ],
  }));
  const env = {
    PATH: process.env['PATH'] ?? '',
    TZ: LOCAL,
    BORG_BASE_DIR: directory,
    BORG_REPO: join(directory, 'repo'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  };
  const { status, stderr } = spawnSync(PYTHON, [COMMANDS], { env, input: JSON.stringify(input), encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const kept = cases.map(({ timesUs }) => timesUs.map((): boolean | undefined => undefined));
  for (const line of stderr.split('\n')) {
    const [, series, number] = /series(\d+)-(\d{3})/.exec(line) ?? [];
    const one = kept[Number(series)];
    if (one !== undefined) one[Number(number)] = line.startsWith('Keeping');
  }
  return kept;
}

describe('retention and `borg prune --dry-run --list`', () => {
  it(`agree on every archive of ${COMMAND_SERIES} series`, { timeout: 300_000 }, () => {
    const directory = mkdtempSync(join(SCRATCH, 'cairn-borg-'));
    try {
      const cases = commandCases(Math.floor(Date.now() / 1000) * 1_000_000);
      const kept = borgPrunes(directory, cases);
      cases.forEach((one, i) => {
        expect(kept[i], JSON.stringify(one)).toEqual(ours(one).map((because) => because !== null));
      });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
