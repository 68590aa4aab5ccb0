import { CronSchedule, type JobFile, type ListedJob, type RunRecord, type RunStore } from '@cairn/jobs';

/** Milliseconds after its time at which a run that did not begin counts as missed: a timer may be late, and so may a busy machine. */
const LATE_MS = 10 * 60_000;
/** Runs of a job that are looked at for the last one that went well. */
const LOOKED_AT = 50;

/** How it stands with a job. */
export interface JobStatus {
  /** Undefined when it never ran. */
  readonly last: RunRecord | undefined;
  /** The last one that ended well, or with warnings; undefined when none of the last ones did. */
  readonly lastSuccess: RunRecord | undefined;
  /** When it runs next, milliseconds since 1970; undefined when nothing starts it by a clock. */
  readonly nextMs: number | undefined;
  /** When it should have run and did not, milliseconds since 1970. */
  readonly missedMs: number | undefined;
}

/** How it stands with a job at a moment. @param ownZone time zone of this machine. */
export async function jobStatus(runs: RunStore, job: ListedJob, nowMs: number, ownZone: string): Promise<JobStatus> {
  const records = await runs.list({ job: job.name, limit: LOOKED_AT });
  const [last] = records;
  const lastSuccess = records.find(({ status }) => status === 'success' || status === 'warning');
  return { last, lastSuccess, ...timesOf(job.job, last, nowMs, ownZone) };
}

function timesOf(
  job: JobFile | undefined,
  last: RunRecord | undefined,
  nowMs: number,
  ownZone: string,
): Pick<JobStatus, 'nextMs' | 'missedMs'> {
  const cron = job?.schedule?.cron;
  if (cron === undefined) return { nextMs: undefined, missedMs: undefined };
  const schedule = new CronSchedule(cron, job?.schedule?.['time-zone'] ?? ownZone);
  // A job that never ran has missed nothing: nobody knows since when it is there.
  const missedMs =
    last === undefined || last.status === 'running'
      ? undefined
      : schedule.last(Date.parse(last.startedAt), nowMs - LATE_MS);
  return { nextMs: schedule.next(nowMs), missedMs };
}
