const NS_PER_MS = 1_000_000n;

/** A time in nanoseconds since 1970 as RFC 3339 in UTC, cut to whole seconds: `2026-11-21T08:00:00Z`. */
export function timeText(ns: bigint): string {
  return new Date(Number(ns / NS_PER_MS)).toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** The same moment as a JavaScript date, cut to milliseconds. */
export function dateOf(ns: bigint): Date {
  return new Date(Number(ns / NS_PER_MS));
}
