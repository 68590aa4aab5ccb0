import { CairnError } from '../errors.ts';

/** Units of an interval, as Borg writes them. A month is 31 days and a year 365 where no calendar is asked. */
const UNIT_SECONDS = { y: 31_536_000, m: 2_678_400, w: 604_800, d: 86_400, H: 3_600, M: 60, S: 1 } as const;

export type IntervalUnit = keyof typeof UNIT_SECONDS;

/** A stretch of time before now: `2w`. */
export interface Interval {
  readonly count: number;
  readonly unit: IntervalUnit;
}

const INTERVAL = /^([1-9]\d{0,8})([ymwdHMS])$/;

/** Reads `2w`: a number, and y, m, w, d, H, M or S. Rejects with `USAGE`. */
export function parseInterval(text: string): Interval {
  const [, count, unit] = INTERVAL.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return { count: Number(count), unit: unit as IntervalUnit };
  throw new CairnError('USAGE', `not an interval: ${JSON.stringify(text)}`, {
    hint: 'Write a number and one of y, m, w, d, H, M, S: 2w are two weeks, 1m is one month, 30M are 30 minutes.',
  });
}

/** Its length in milliseconds. */
export function intervalMs({ count, unit }: Interval): number {
  return count * UNIT_SECONDS[unit] * 1000;
}
