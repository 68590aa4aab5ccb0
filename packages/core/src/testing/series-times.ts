import type { Seeded } from './seeded.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

/** Time zones whose clocks change in different ways, not at all, by half an hour, or once by a whole day. */
export const ZONES = [
  'UTC',
  'Europe/Amsterdam',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
] as const;

/** Moments around which calendars and clocks do unusual things. */
const CORNERS = [
  '2021-01-03T23:59:59Z', // the end of week 53 of 2020
  '2026-12-31T23:59:59Z', // in week 53 of 2026
  '2024-12-30T00:00:00Z', // week 1 of 2025
  '2023-01-01T00:00:00Z', // week 52 of 2022
  '2024-02-29T12:00:00Z',
  '2025-03-30T01:00:00Z', // Amsterdam: one hour is left out
  '2025-10-26T01:00:00Z', // Amsterdam: one hour comes twice
  '2025-11-02T06:00:00Z', // New York: one hour comes twice
  '2025-04-05T15:00:00Z', // Lord Howe: half an hour comes twice
  '2011-12-30T10:00:00Z', // Apia: a day is left out
  '2026-11-20T03:00:00Z',
].map((text) => Date.parse(text));

/** Times of the archives of a series, oldest first, in whole microseconds since 1970. Some are equal, some differ below a second. */
export function seriesTimesUs(numbers: Seeded): number[] {
  const count = 1 + numbers.below(40);
  const stepMs = numbers.oneOf([
    SECOND / 2,
    20 * SECOND,
    HOUR / 3,
    HOUR,
    7 * HOUR,
    DAY,
    DAY,
    3 * DAY,
    11 * DAY,
    40 * DAY,
  ]);
  let ms = numbers.oneOf(CORNERS) - numbers.below(count) * stepMs;
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    times.push(ms * 1000 + numbers.below(1_000));
    switch (numbers.below(8)) {
      case 0:
        times[i] = times[i - 1] ?? ms * 1000;
        break;
      case 1:
        ms += numbers.below(4) * stepMs;
        break;
      case 2:
        ms += numbers.below(2 * stepMs);
        break;
      default:
        ms += stepMs;
    }
  }
  return times.toSorted((a, b) => a - b);
}
