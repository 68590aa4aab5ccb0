import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { CountRule, RetentionPolicy } from '../dist/index.js';
import { retain } from '../dist/retention/retain.js';
import { Seeded } from '../dist/testing/seeded.js';
import { seriesTimesUs, ZONES } from '../dist/testing/series-times.js';

/** Each policy is asked of all series of one time zone at once: restic takes a second to open a repository. */
const SERIES = 60;
const SOME_ZONES = ZONES.filter((zone) => zone !== 'Asia/Kolkata' && zone !== 'Pacific/Apia');
const SCRIPT = fileURLToPath(new URL('./support/restic-snapshots.py', import.meta.url));

/** Rules of restic that count, and the option of each. */
const RULES = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const satisfies readonly CountRule[];

interface Snapshot {
  readonly username: string;
}

interface Group {
  readonly host: string;
  readonly keep: readonly Snapshot[] | null;
  readonly remove: readonly Snapshot[] | null;
}

const nowUs = Date.now() * 1000;
let directory = '';
let hasOldest = false;
const seriesOf = new Map<string, readonly (readonly number[])[]>(SOME_ZONES.map((zone) => [zone, makeSeries(zone)]));

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-restic-'));
  restic('UTC', ['init', '--quiet']);
  const probe = { host: 'probe', zone: 'UTC', timesUs: [1_700_000_000_000_000, 1_700_000_001_000_000] };
  const series = [...seriesOf].flatMap(([zone, all]) =>
    all.map((timesUs, i) => ({ host: `${zone} ${i}`, zone, timesUs })),
  );
  const place = join(directory, 'repo');
  const input = JSON.stringify([probe, ...series]);
  execFileSync('/usr/bin/python3', [SCRIPT, place, restic('UTC', ['cat', 'masterkey'])], { input });
  // The rule to keep the oldest snapshot while a count is left came to restic after some of the versions that are in use.
  hasOldest = theirs('UTC', { daily: 2 }).get('probe')?.size === 2;
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function restic(zone: string, args: readonly string[]): string {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: directory,
    TZ: zone,
    RESTIC_PASSWORD: 'oracle',
    RESTIC_REPOSITORY: join(directory, 'repo'),
  };
  const { status, stdout, stderr, error } = spawnSync('restic', args, { env, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`restic ${args.join(' ')} (package restic): ${stderr}`, { cause: error });
  return stdout;
}

/** Archives with different times: restic leaves open which of two with the same time is newer. */
function makeSeries(zone: string): number[][] {
  return Array.from({ length: SERIES }, (_, i) => {
    const numbers = new Seeded(`restic ${zone} ${i}`);
    const times = [...new Set(seriesTimesUs(numbers))];
    // Some end in the future, where `--keep-within` does not begin.
    if (i % 4 !== 0) return times;
    const shift = nowUs + (i % 8) * 40_000_000_000 - (times.at(-1) ?? 0);
    return times.map((us) => us + shift);
  });
}

function policies(zone: string): RetentionPolicy[] {
  return Array.from({ length: 2 }, (_, i) => {
    const numbers = new Seeded(`restic policy ${zone} ${i}`);
    const policy: Partial<Record<CountRule, number>> = { daily: 1 + numbers.below(9) };
    for (const rule of RULES) if (numbers.below(2) === 0) policy[rule] = 1 + numbers.below(9);
    const within = ['40d', '3w', '2m', '1y', '30H'][numbers.below(5)] ?? '';
    return { ...policy, algorithm: 'restic', ...(i === 0 ? {} : { within }) };
  });
}

function theirs(zone: string, policy: RetentionPolicy): Map<string, Set<number>> {
  const rules = RULES.flatMap((rule) => (policy[rule] === undefined ? [] : [`--keep-${rule}`, String(policy[rule])]));
  const [, number = '', unit = ''] = /^(\d+)(.)$/.exec(policy.within ?? '') ?? [];
  const written = unit === 'w' ? `${Number(number) * 7}d` : unit === 'H' ? `${number}h` : `${number}${unit}`;
  const within = policy.within === undefined ? [] : ['--keep-within', written];
  const output = restic(zone, [
    'forget',
    '--dry-run',
    '--no-lock',
    '--json',
    '--group-by',
    'host',
    ...rules,
    ...within,
  ]);
  return new Map(
    (JSON.parse(output) as Group[]).map(({ host, keep }) => [
      host,
      new Set((keep ?? []).map(({ username }) => Number(username))),
    ]),
  );
}

describe('the algorithm restic and the installed restic', () => {
  it.each(SOME_ZONES)(`agree on every archive of ${SERIES} series and two policies in %s`, (zone) => {
    const series = seriesOf.get(zone) ?? [];
    let removed = 0;
    for (const policy of policies(zone)) {
      const kept = theirs(zone, policy);
      for (const [i, timesUs] of series.entries()) {
        const archives = timesUs.map((us, seq) => ({ timeMs: us / 1000, seq, complete: true, protect: false }));
        const verdicts = retain(archives, { policy, timeZone: zone, nowMs: Date.now() });
        const ours = verdicts
          .filter(({ reasons }) => reasons.some(({ oldest }) => hasOldest || oldest !== true))
          .map(({ archive }) => archive.seq);
        const what = `${JSON.stringify(policy)} ${timesUs.map((us) => new Date(us / 1000).toISOString()).join(' ')}`;
        expect(new Set(ours), what).toEqual(kept.get(`${zone} ${i}`));
        removed += timesUs.length - ours.length;
      }
    }
    expect(removed).toBeGreaterThan(SERIES);
  });
});
