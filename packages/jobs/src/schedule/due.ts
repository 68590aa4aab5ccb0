import type { CronSchedule } from './cron.ts';
import { LATE_MS } from './missed-runs.ts';

/** What a schedule says at a moment. */
export type Due =
  | { readonly kind: 'not yet'; readonly nextMs: number | undefined }
  /** Its time has come; or it was missed, and is caught up with. */
  | { readonly kind: 'due'; readonly atMs: number; readonly missed: number }
  /** Its time passed while nobody could run it, and the job does not catch up. */
  | { readonly kind: 'missed'; readonly atMs: number; readonly missed: number };

const MOST_MISSED = 1_000;

/**
 * Up to when scheduled times were dealt with, after the clock may have been set back: by little, they are not dealt with again; by more,
 * what is to come from now on counts, or the job would wait until the clock is there again.
 */
export function handledBy(handledMs: number, nowMs: number): number {
  return handledMs > nowMs + LATE_MS ? nowMs : handledMs;
}

/**
 * Whether a job is due. The clock may have been set, and the machine may have slept: only the wall clock counts, each scheduled time
 * at most once. @param handledMs up to when scheduled times were dealt with: the last run, or the last that was missed.
 */
export function dueAt(cron: CronSchedule, handledMs: number, nowMs: number, catchUp: boolean): Due {
  const last = cron.last(handledMs, nowMs);
  if (last === undefined) return { kind: 'not yet', nextMs: cron.next(nowMs) };
  const isLate = nowMs - last > LATE_MS;
  const earlier = cron.count(handledMs, last - 1, MOST_MISSED);
  if (isLate && !catchUp) return { kind: 'missed', atMs: last, missed: earlier + 1 };
  return { kind: 'due', atMs: last, missed: isLate ? earlier + 1 : earlier };
}
