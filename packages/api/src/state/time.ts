import type { Clock } from '@cairn/core';

/** Milliseconds since 1970. */
export function nowMs(clock: Clock): number {
  return Number(clock.nowNs() / 1_000_000n);
}

/** `2026-11-21T08:15:02.123Z`, as answers have times. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

export function optionalTime(ms: number | null | undefined): string | null {
  return ms === null || ms === undefined ? null : timeText(ms);
}
