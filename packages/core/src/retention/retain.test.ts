import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { Seeded } from '../testing/seeded.ts';
import { seriesTimesUs, ZONES } from '../testing/series-times.ts';
import type { Candidate } from './candidate.ts';
import { COUNT_RULES, DEFAULT_POLICY, PERIOD_RULES, type RetentionPolicy } from './policy.ts';
import { reasonText } from './reason.ts';
import { retain } from './retain.ts';

const DAY = 86_400_000;

/** Complete archives at these times, RFC 3339, in the order of the log. */
function archivesAt(...times: readonly string[]): Candidate[] {
  return times.map((time, i) => ({ timeMs: Date.parse(time), seq: i + 1, complete: true, protect: false }));
}

function run(
  archives: readonly Candidate[],
  policy: RetentionPolicy,
  { timeZone = 'UTC', now = '2026-11-21T12:00:00Z' }: { readonly timeZone?: string; readonly now?: string } = {},
): string[] {
  const verdicts = retain(archives, { policy, timeZone, nowMs: Date.parse(now) });
  return verdicts.map(({ archive, reasons }) => {
    const time = archive.timeMs === undefined ? '?' : new Date(archive.timeMs).toISOString().replace('.000', '');
    return `${time} ${reasons.map(reasonText).join(', ') || '-'}`;
  });
}

const keptOf = (lines: readonly string[]): string[] =>
  lines.filter((line) => !line.endsWith(' -')).map((line) => line.slice(0, line.indexOf(' ')));

/** A backup each night at 03:00, and a prune after each. */
function nights(count: number, policy: RetentionPolicy): { readonly kept: number; readonly oldest: string } {
  const last = Date.parse('2026-11-20T03:00:00Z');
  let archives: Candidate[] = [];
  for (let i = 0; i < count; i++) {
    const timeMs = last - (count - 1 - i) * DAY;
    archives.push({ timeMs, seq: i + 1, complete: true, protect: false });
    archives = retain(archives, { policy, timeZone: 'UTC', nowMs: timeMs + 60_000 })
      .filter(({ reasons }) => reasons.length > 0)
      .map(({ archive }) => archive)
      .toReversed();
  }
  return { kept: archives.length, oldest: new Date(archives[0]?.timeMs ?? 0).toISOString().slice(0, 10) };
}

describe('7 daily, 8 weekly, 4 monthly, night after night', () => {
  // Expected: a simulation of the three algorithms that shares nothing with this one.
  it.each([
    ['borg', 400, 19, '2026-07-31'],
    ['restic', 400, 16, '2026-08-31'],
    ['proxmox', 400, 19, '2026-05-31'],
    ['borg', 10, 8, '2026-11-11'],
    ['restic', 10, 8, '2026-11-11'],
    ['proxmox', 10, 7, '2026-11-14'],
    ['borg', 60, 17, '2026-09-22'],
    ['restic', 60, 16, '2026-09-22'],
  ] as const)('keeps with %s after %i nights %i archives, the oldest of %s', (algorithm, count, kept, oldest) => {
    expect(nights(count, { ...DEFAULT_POLICY, algorithm })).toEqual({ kept, oldest });
  });
});

describe('borg', () => {
  it('says of each archive which rule keeps it', () => {
    const archives = archivesAt(
      '2026-10-05T03:00:00Z',
      '2026-11-08T03:00:00Z',
      '2026-11-15T03:00:00Z',
      '2026-11-19T03:00:00Z',
      '2026-11-20T03:00:00Z',
      '2026-11-20T15:00:00Z',
      '2026-11-21T03:00:00Z',
    );
    expect(run(archives, { daily: 2, weekly: 1, monthly: 3 })).toEqual([
      '2026-11-21T03:00:00Z daily 1/2',
      '2026-11-20T15:00:00Z daily 2/2',
      '2026-11-20T03:00:00Z -',
      '2026-11-19T03:00:00Z -',
      '2026-11-15T03:00:00Z weekly 1/1',
      '2026-11-08T03:00:00Z -',
      '2026-10-05T03:00:00Z monthly 1/3',
    ]);
  });

  it('keeps the oldest archive for a rule that cannot be satisfied', () => {
    const archives = archivesAt('2026-11-02T03:00:00Z', '2026-11-09T03:00:00Z', '2026-11-20T03:00:00Z');
    expect(run(archives, { monthly: 3 })).toEqual([
      '2026-11-20T03:00:00Z monthly 1/3',
      '2026-11-09T03:00:00Z -',
      '2026-11-02T03:00:00Z monthly[oldest] 2/3',
    ]);
    expect(run(archives, { monthly: -1 })[2]).toBe('2026-11-02T03:00:00Z -');
    expect(run(archives, { monthly: 1 })[2]).toBe('2026-11-02T03:00:00Z -');
  });

  it('counts quarters of 13 weeks and of 3 months', () => {
    // 2026 has 53 weeks: 2027-01-03 is the last day of the last, and 2026-09-27 the last of the 39th.
    const archives = archivesAt(
      '2026-09-27T00:00:00Z',
      '2026-09-28T00:00:00Z',
      '2026-12-31T00:00:00Z',
      '2027-01-03T00:00:00Z',
      '2027-01-04T00:00:00Z',
    );
    expect(keptOf(run(archives, { '13weekly': -1 }))).toEqual([
      '2027-01-04T00:00:00Z',
      '2027-01-03T00:00:00Z',
      '2026-09-27T00:00:00Z',
    ]);
    expect(keptOf(run(archives, { '3monthly': -1 }))).toEqual([
      '2027-01-04T00:00:00Z',
      '2026-12-31T00:00:00Z',
      '2026-09-28T00:00:00Z',
    ]);
  });

  it('measures `within` from now, and counts nothing for it', () => {
    const archives = archivesAt('2026-11-07T12:00:00Z', '2026-11-07T12:00:01Z', '2026-11-20T03:00:00Z');
    expect(run(archives, { within: '2w', daily: 1 })).toEqual([
      '2026-11-20T03:00:00Z within 2w',
      '2026-11-07T12:00:01Z within 2w',
      '2026-11-07T12:00:00Z daily[oldest] 1/1',
    ]);
  });

  it('keeps the last archives, also where two are of one second', () => {
    const archives = archivesAt('2026-11-20T03:00:00.1Z', '2026-11-20T03:00:00.2Z', '2026-11-20T03:00:00.3Z');
    expect(keptOf(run(archives, { last: 2 }))).toHaveLength(2);
    expect(keptOf(run(archives, { secondly: -1 }))).toHaveLength(1);
  });

  it('takes the later COMMIT of two with one time for the newer', () => {
    const archives = archivesAt('2026-11-20T03:00:00Z', '2026-11-20T03:00:00Z', '2026-11-01T03:00:00Z');
    const [newest] = retain(archives, { policy: { daily: 1 }, timeZone: 'UTC', nowMs: 0 });
    expect(newest?.archive.seq).toBe(2);
  });
});

describe('time zones', () => {
  it('decide where a day begins', () => {
    const archives = archivesAt('2026-11-19T22:59:00Z', '2026-11-19T23:01:00Z', '2026-11-20T12:00:00Z');
    expect(keptOf(run(archives, { daily: 9 }, { timeZone: 'Europe/Amsterdam' }))).toHaveLength(2);
    expect(keptOf(run(archives, { daily: -1 }, { timeZone: 'Europe/Amsterdam' }))).toEqual([
      '2026-11-20T12:00:00Z',
      '2026-11-19T22:59:00Z',
    ]);
    expect(keptOf(run(archives, { daily: -1 }, { timeZone: 'UTC' }))).toEqual([
      '2026-11-20T12:00:00Z',
      '2026-11-19T23:01:00Z',
    ]);
  });

  it('have one hour where the clocks show it twice', () => {
    const archives = archivesAt('2025-10-26T00:30:00Z', '2025-10-26T01:30:00Z');
    expect(keptOf(run(archives, { hourly: -1 }, { timeZone: 'Europe/Amsterdam' }))).toHaveLength(1);
    expect(keptOf(run(archives, { hourly: -1 }, { timeZone: 'UTC' }))).toHaveLength(2);
  });
});

describe('restic', () => {
  it('lets an archive serve several rules, and keeps the oldest while a count is left', () => {
    const archives = archivesAt(
      '2026-11-01T03:00:00Z',
      '2026-11-02T03:00:00Z',
      '2026-11-20T03:00:00Z',
      '2026-11-21T03:00:00Z',
    );
    expect(run(archives, { algorithm: 'restic', daily: 2, monthly: 3 })).toEqual([
      '2026-11-21T03:00:00Z daily 1/2, monthly 1/3',
      '2026-11-20T03:00:00Z daily 2/2',
      '2026-11-02T03:00:00Z -',
      '2026-11-01T03:00:00Z monthly[oldest] 2/3',
    ]);
  });

  it('measures `within` by the calendar, from the newest archive that is not in the future', () => {
    const archives = archivesAt(
      '2026-02-20T03:00:00Z',
      '2026-02-20T03:00:01Z',
      '2026-03-20T03:00:00Z',
      '2030-01-01T00:00:00Z',
    );
    expect(keptOf(run(archives, { algorithm: 'restic', within: '1m' }))).toEqual([
      '2030-01-01T00:00:00Z',
      '2026-03-20T03:00:00Z',
      '2026-02-20T03:00:01Z',
    ]);
  });
});

describe('proxmox', () => {
  // Expected: what the tests of Proxmox Backup Server (pbs-datastore/tests/prune.rs) ask of it.
  const days = [
    '2018-11-15',
    '2019-11-15',
    '2019-11-21',
    '2019-11-22',
    '2019-11-29',
    '2019-12-01',
    '2019-12-02',
    '2019-12-03',
    '2019-12-04',
  ];
  const archives = archivesAt(...days.map((day) => `${day}T11:59:15Z`));

  it.each<[RetentionPolicy, string[]]>([
    [{ daily: 1 }, ['2019-12-04']],
    [{ last: 1, daily: 1 }, ['2019-12-04', '2019-12-03']],
    [{ daily: 1, weekly: 1 }, ['2019-12-04', '2019-12-01']],
    [{ daily: 1, weekly: 1, monthly: 1 }, ['2019-12-04', '2019-12-01', '2019-11-22']],
    [{ monthly: 1, yearly: 1 }, ['2019-12-04', '2018-11-15']],
  ])('keeps with %j what Proxmox keeps', (policy, expected) => {
    expect(keptOf(run(archives, { algorithm: 'proxmox', ...policy })).map((time) => time.slice(0, 10))).toEqual(
      expected,
    );
  });

  it('passes over protected archives', () => {
    const [first, ...rest] = archivesAt(
      '2019-11-15T09:39:15Z',
      '2019-11-15T10:39:15Z',
      '2019-11-15T10:49:15Z',
      '2019-11-15T10:59:15Z',
    );
    const last = rest.pop();
    const all = [{ ...(first as Candidate), protect: true }, ...rest, { ...(last as Candidate), protect: true }];
    for (const policy of [{ last: 1 }, { hourly: 1 }]) {
      expect(run(all, { algorithm: 'proxmox', ...policy }).map((line) => line.slice(11, 16) + line.slice(20))).toEqual([
        '10:59 protected',
        `10:49 ${'last' in policy ? 'last' : 'hourly'} 1/1`,
        '10:39 -',
        '09:39 protected',
      ]);
    }
  });
});

describe.each(['borg', 'restic', 'proxmox'] as const)('archives that rules do not apply to (%s)', (algorithm) => {
  it('are kept when they are protected, and take no place', () => {
    const archives = archivesAt('2026-11-01T03:00:00Z', '2026-11-02T03:00:00Z', '2026-11-03T03:00:00Z').map(
      (archive) => ({
        ...archive,
        protect: archive.seq === 3,
      }),
    );
    expect(run(archives, { algorithm, last: 1 })).toEqual([
      '2026-11-03T03:00:00Z protected',
      '2026-11-02T03:00:00Z last 1/1',
      '2026-11-01T03:00:00Z -',
    ]);
  });

  it('are never kept by a rule when they are incomplete, and stay while no complete one is newer', () => {
    const archives = archivesAt(
      '2026-11-01T03:00:00Z',
      '2026-11-02T03:00:00Z',
      '2026-11-03T03:00:00Z',
      '2026-11-04T03:00:00Z',
    ).map((archive) => ({ ...archive, complete: archive.seq === 1 || archive.seq === 3 }));
    expect(run(archives, { algorithm, daily: 1 })).toEqual([
      '2026-11-04T03:00:00Z incomplete',
      '2026-11-03T03:00:00Z daily 1/1',
      '2026-11-02T03:00:00Z -',
      '2026-11-01T03:00:00Z -',
    ]);
    const none = archives.map((archive) => ({ ...archive, complete: false }));
    expect(keptOf(run(none, { algorithm, daily: 1 }))).toHaveLength(4);
  });

  it('are kept when their time is not known', () => {
    const archives = [
      ...archivesAt('2026-11-01T03:00:00Z', '2026-11-02T03:00:00Z'),
      { timeMs: undefined, seq: 3, complete: true, protect: false },
    ];
    expect(run(archives, { algorithm, daily: 1 })).toContain('? unknown-time');
    expect(run(archives, { algorithm, daily: 1 })).toContain('2026-11-01T03:00:00Z -');
  });
});

describe('an incomplete archive', () => {
  it('stays while `within` covers it', () => {
    const [first, second] = archivesAt('2026-11-20T03:00:00Z', '2026-11-21T03:00:00Z');
    const archives = [{ ...(first as Candidate), complete: false }, second as Candidate];
    expect(run(archives, { within: '2d', daily: 1 })[1]).toBe('2026-11-20T03:00:00Z within 2d');
    expect(run(archives, { within: '1H', daily: 1 })[1]).toBe('2026-11-20T03:00:00Z -');
  });
});

describe('a policy', () => {
  it.each<[string, RetentionPolicy]>([
    ['has no rule', {}],
    ['has no rule', { daily: 0, weekly: 0 }],
    ['not a number', { daily: -2 }],
    ['not a number', { daily: 1.5 }],
    ['not a number', { daily: Number.NaN }],
    ['not an interval', { within: '2 weeks' }],
    ['not an interval', { within: '0d' }],
    ['do not go together', { last: 1, secondly: 1 }],
    ['do not go together', { '13weekly': 1, '3monthly': 1 }],
    ['no rule minutely', { algorithm: 'restic', minutely: 1 }],
    ['no rule within', { algorithm: 'proxmox', within: '1d' }],
  ])('is refused: it %s', (message, policy) => {
    const work = (): unknown => retain([], { policy, timeZone: 'UTC', nowMs: 0 });
    expect(work).toThrow(message);
    expect(work).toThrow(expect.toSatisfy((error) => isCairnError(error, 'USAGE')));
  });

  it('is refused in a time zone that is none', () => {
    expect(() => retain([], { policy: { daily: 1 }, timeZone: 'Mars/Olympus', nowMs: 0 })).toThrow('no time zone');
  });
});

/** A random series with some protected and some incomplete archives, in any order. */
const series = fc.string({ minLength: 4, maxLength: 4 }).map((seed) => {
  const numbers = new Seeded(seed);
  const archives = seriesTimesUs(numbers).map((us, i) => ({
    timeMs: us / 1000,
    seq: i + 1,
    complete: numbers.below(10) > 0,
    protect: numbers.below(10) === 0,
  }));
  return { archives, zone: numbers.oneOf(ZONES), nowMs: Math.max(...archives.map(({ timeMs }) => timeMs)) + DAY };
});
const policies = fc
  .record(
    Object.fromEntries(
      COUNT_RULES.filter((rule) => !['last', '13weekly'].includes(rule)).map((rule) => [
        rule,
        fc.integer({ min: -1, max: 6 }),
      ]),
    ),
    {
      requiredKeys: [],
    },
  )
  .map((counts): RetentionPolicy => ({ ...counts, yearly: 2 }));

describe('borg, whatever the series', () => {
  const kept = (archives: readonly Candidate[], policy: RetentionPolicy, timeZone: string, nowMs: number): number[] =>
    retain(archives, { policy, timeZone, nowMs })
      .filter(({ reasons }) => reasons.length > 0)
      .map(({ archive }) => archive.seq);

  it('removes nothing when it is run again, and does not look at the order it is given', () => {
    fc.assert(
      fc.property(series, policies, ({ archives, zone, nowMs }, policy) => {
        const first = kept(archives, policy, zone, nowMs);
        const rest = archives.filter(({ seq }) => first.includes(seq));
        expect(kept(rest, policy, zone, nowMs)).toEqual(first);
        expect(kept(archives.toReversed(), policy, zone, nowMs)).toEqual(first);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps at least as much when a rule may keep more', () => {
    fc.assert(
      fc.property(series, policies, fc.constantFrom(...PERIOD_RULES), ({ archives, zone, nowMs }, policy, rule) => {
        if (rule === '13weekly') return;
        const count = policy[rule] ?? 0;
        const more = { ...policy, [rule]: count === -1 ? -1 : count + 1 };
        const wider = kept(archives, more, zone, nowMs);
        expect(kept(archives, policy, zone, nowMs).filter((seq) => !wider.includes(seq))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the newest complete archive', () => {
    fc.assert(
      fc.property(series, policies, ({ archives, zone, nowMs }, policy) => {
        const newest = archives.findLast(({ complete }) => complete);
        if (newest !== undefined) expect(kept(archives, policy, zone, nowMs)).toContain(newest.seq);
      }),
      { numRuns: 300 },
    );
  });
});
