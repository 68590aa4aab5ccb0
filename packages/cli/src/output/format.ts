export { formatBytes, formatDuration, parseDuration, parseSize } from '@cairn/core';

const NS_PER_MS = 1_000_000n;

/** A count with commas: `1,234,567`. */
export function formatCount(count: number): string {
  // By hand: loading the locale data for this costs 15 ms of start-up.
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `2 files`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** A moment for people: `2026-11-21 09:15:02` in the time zone of this machine. */
export function formatTime(ns: bigint): string {
  const date = new Date(Number(ns / NS_PER_MS));
  if (Number.isNaN(date.getTime())) return `${ns} ns`;
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** As `formatTime`, of a time as stores tell it: milliseconds since 1970. */
export function formatStoreTime(ms: number): string {
  return formatTime(BigInt(Math.floor(ms)) * NS_PER_MS);
}

const MS_OF_UNIT = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/**
 * Milliseconds since 1970 of a moment as people write it: so long before `nowMs` (`36h`, `7d`, `2w`), a day or a time of it in
 * the time zone of this machine (`2026-11-21`, `2026-11-21T08:00`), or with a zone of its own; undefined when it is none.
 */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const [, number, unit] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) {
    return nowMs - Number(number) * MS_OF_UNIT[unit as keyof typeof MS_OF_UNIT];
  }
  const [, day, time = 'T00:00', zone = ''] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  const ms = Date.parse(`${day}${time.startsWith('T') ? time : `T${time}`}${zone}`);
  return Number.isNaN(ms) ? undefined : ms;
}
