const NS_PER_S = 1_000_000_000n;

/** A moment as RFC 3339 in UTC with all nanoseconds: `2026-11-21T08:15:02.000000001Z`. */
export function exactTime(ns: bigint): string {
  const seconds = ns >= 0n ? ns / NS_PER_S : -((-ns + NS_PER_S - 1n) / NS_PER_S);
  const fraction = String(ns - seconds * NS_PER_S).padStart(9, '0');
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, -5)}.${fraction}Z`;
}

/** A time of the store, which stores tell in milliseconds and parts of them. */
export function storeTime(ms: number): string {
  return exactTime(BigInt(Math.floor(ms)) * 1_000_000n);
}
