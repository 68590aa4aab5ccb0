import type { JobFile } from '../job-file/read-job.ts';
import type { RunRecord } from '../runs/run-record.ts';
import { CronSchedule } from './cron.ts';

/** Missed runs that are counted; nobody needs to know of more. */
const MOST = 1_000;

/** Milliseconds after its time within which a run still counts as in time: timers gather, machines are busy. */
export const LATE_MS = 300_000;

/**
 * How many scheduled runs were missed between the last run that there was and now. The one that is due now is not missed yet.
 * @param previous the last run; when there was none, nothing is missed.
 */
export function missedRuns(
  { schedule }: Pick<JobFile, 'schedule'>,
  previous: Pick<RunRecord, 'startedAt'> | undefined,
  nowMs: number,
): number {
  if (schedule?.cron === undefined || previous === undefined) return 0;
  const cron = new CronSchedule(schedule.cron, zoneOf(schedule));
  return cron.count(Date.parse(previous.startedAt), nowMs - LATE_MS, MOST);
}

/** The time zone of a schedule: that of this machine unless it names one. */
export function zoneOf(schedule: NonNullable<JobFile['schedule']>): string {
  return schedule['time-zone'] ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}
