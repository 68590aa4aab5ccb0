import type { JobFile } from '../job-file/read-job.ts';
import type { RunRecord } from '../runs/run-record.ts';
import type { RunStore } from '../runs/run-store.ts';
import { CronSchedule } from './cron.ts';
import { missedRuns, zoneOf } from './missed-runs.ts';

/** How it stands with a job. Times are milliseconds since 1970. */
export interface JobStatus {
  readonly job: string;
  /** The run that is under way. */
  readonly running: RunRecord | undefined;
  /** The last run that has ended, or was lost. */
  readonly last: RunRecord | undefined;
  /** The last one that ended well, with warnings or without. */
  readonly lastSuccess: RunRecord | undefined;
  readonly nextMs: number | undefined;
  /** Scheduled times since the last run that passed without one. */
  readonly missed: number;
}

/** Runs that are looked through. */
const LOOK_BACK = 200;

/** The status of a job from the record of its runs and its schedule, at a moment. */
export async function jobStatus(job: JobFile, runs: RunStore, nowMs: number): Promise<JobStatus> {
  const records = (await runs.list({ job: job.name, limit: LOOK_BACK })).filter(({ kind }) => kind === 'job');
  const ended = records.filter(({ status }) => status !== 'running');
  const { schedule } = job;
  return {
    job: job.name,
    running: records.find(({ status }) => status === 'running'),
    last: ended[0],
    lastSuccess: ended.find(({ status }) => status === 'success' || status === 'warning'),
    nextMs: schedule?.cron === undefined ? undefined : new CronSchedule(schedule.cron, zoneOf(schedule)).next(nowMs),
    missed: missedRuns(job, records[0], nowMs),
  };
}
