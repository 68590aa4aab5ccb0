import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { CronSchedule } from './cron.ts';

/** The next times after a moment. */
function times(pattern: string, zone: string, from: string, count: number): string[] {
  const cron = new CronSchedule(pattern, zone);
  const found: string[] = [];
  for (let ms = Date.parse(from); found.length < count;) {
    const next = cron.next(ms);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    ms = next;
  }
  return found;
}

describe('a schedule', () => {
  it('follows the clocks of its time zone', () => {
    // Madrid: UTC+2 until 25 October 2026, then UTC+1.
    expect(times('30 2 * * *', 'Europe/Madrid', '2026-10-23T12:00Z', 4)).toEqual([
      '2026-10-24T00:30',
      // 02:30 comes twice this night: once is enough.
      '2026-10-25T00:30',
      '2026-10-26T01:30',
      '2026-10-27T01:30',
    ]);
  });

  it('runs right after an hour that is left out', () => {
    // On 29 March 2026 Berlin goes from 02:00 to 03:00, which is 01:00 UTC.
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00Z', 2)).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
  });

  it('comes each hour where it is to come each hour, also in the one that comes twice', () => {
    expect(times('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30Z', 4)).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T01:00',
      '2026-10-25T02:00',
      '2026-10-25T03:00',
    ]);
  });

  it('comes on days of the month or of the week, as crontab(5) says', () => {
    // The 13th, and Fridays: 1 January 2027 is a Friday.
    expect(times('0 0 13 * 5', 'UTC', '2026-12-31T12:00Z', 4)).toEqual([
      '2027-01-01T00:00',
      '2027-01-08T00:00',
      '2027-01-13T00:00',
      '2027-01-15T00:00',
    ]);
  });

  it('counts what lies between, and knows the last', () => {
    const cron = new CronSchedule('@daily', 'UTC');
    const [from, to] = [Date.parse('2026-01-01T12:00Z'), Date.parse('2026-01-11T12:00Z')];
    expect(cron.count(from, to, 1000)).toBe(10);
    expect(cron.count(from, to, 3)).toBe(3);
    expect(cron.last(from, to)).toBe(Date.parse('2026-01-11T00:00Z'));
    expect(cron.last(Date.parse('2026-01-11T00:00Z'), to)).toBeUndefined();
    expect(cron.last(0, Date.parse('2026-01-11T00:00Z'))).toBe(Date.parse('2026-01-11T00:00Z'));
  });

  it('has as its last time the last that came, on days when clocks change, too', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC'];
    const around = fc.constantFrom('2026-03-29', '2026-10-25', '2026-03-08', '2026-11-01', '2026-04-05', '2026-10-04');
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        around,
        fc.integer({ min: -1440, max: 2880 }),
        fc.integer({ min: 0, max: 59 }),
        fc.integer({ min: 0, max: 4 }),
        (zone, day, minutes, minute, hour) => {
          const cron = new CronSchedule(`${minute} ${hour} * * *`, zone);
          const now = Date.parse(`${day}T00:00Z`) + minutes * 60_000;
          let last: number | undefined;
          for (let at = cron.next(now - 3 * 86_400_000); at !== undefined && at <= now; at = cron.next(at)) last = at;
          expect(cron.last(now - 3 * 86_400_000, now)).toBe(last);
        },
      ),
      { numRuns: 300 },
    );
  });
});
