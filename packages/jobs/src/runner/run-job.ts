import {
  CairnError,
  isCairnError,
  knownError,
  systemEnvironment,
  systemTimer,
  type Environment,
  type Timer,
} from '@cairn/core';

import type { MainStep } from '../job-file/hook-schema.ts';
import type { JobFile } from '../job-file/read-job.ts';
import { lowerPriority } from '../limits/priority.ts';
import { lastJobRun } from '../runs/last-run.ts';
import type { RunEvent, RunKind, RunTrigger } from '../runs/run-events.ts';
import { newRunId, timeText } from '../runs/run-id.ts';
import type { RunRecord } from '../runs/run-record.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { RunWriter } from '../runs/run-writer.ts';
import { missedRuns } from '../schedule/missed-runs.ts';
import { AlertStep } from './alert-step.ts';
import { JobRun, type RunSurroundings } from './job-run.ts';
import { MainSteps, mainStepsOf } from './main-steps.ts';
import { tellMissed, tellNotBegun } from './missed-alert.ts';
import { verdict, type RunOutcome } from './outcome.ts';
import { RunLog } from './run-log.ts';
import { endReason, withinTime } from './time-limits.ts';

export interface RunJobOptions extends Omit<RunSurroundings, 'environment' | 'timer'> {
  readonly runs: RunStore;
  readonly trigger: RunTrigger;
  /** Cancels the run: what is stored stays, hooks after what began still run. */
  readonly signal: AbortSignal;
  readonly environment?: Environment;
  readonly timer?: Timer;
  /** Only these of the long steps. Default: all that the job has. */
  readonly only?: readonly MainStep[];
  /** An id made with `newRunId`. Default: a new one. */
  readonly runId?: string | undefined;
  readonly onEvent?: (event: RunEvent) => void;
}

const KEEP_ALIVE_MS = 1_800_000;

/**
 * Runs a job: hooks, dumps, backup, prune, compact, check, alerts, each step with an end of its own in the record of the run. What fails
 * is in the outcome. Rejects with `JOB_BUSY` when a run of the job is under way, with `USAGE` for a step that the job does not have, and
 * with `TARGET_FAILED` when no record can be made.
 */
export async function runJob(job: JobFile, options: RunJobOptions): Promise<RunOutcome> {
  const { environment = systemEnvironment, timer = systemTimer, runs, trigger, only, onEvent } = options;
  const { runId: id = newRunId(environment) } = options;
  const steps = chosenSteps(job, only);
  const surroundings = { environment, timer };
  const writer = await created(runs.create(job.name, kindOf(only), trigger, { id, onEvent }), async (error) => {
    if (error.code === 'TARGET_FAILED')
      return await tellNotBegun(job, { host: options.host, run: id, error }, surroundings);
    // Somebody who starts it by hand sees that it is busy.
    if (error.code !== 'JOB_BUSY' || (trigger !== 'timer' && trigger !== 'schedule')) return [];
    return await tellMissed(job, { host: options.host, dueAt: timeText(environment.clock.nowNs()) }, surroundings);
  });
  try {
    const log = new RunLog(writer, environment);
    const run = new JobRun(job, writer.id, { ...options, environment, timer }, log);
    const before = await previousRun(runs, run);
    const missed = missedRuns(job, before, Number(environment.clock.nowNs() / 1_000_000n));
    if (missed > 0) log.info(`${missed} scheduled ${missed === 1 ? 'run was' : 'runs were'} missed before this one`);
    const alerts = new AlertStep(run, before?.status === 'running' ? undefined : before?.status);
    await alerts.started(missed);
    await work(run, steps, options, timer);
    return await end(run, writer, options.signal, alerts);
  } catch (error) {
    // A bug: the record then says nothing of an end, which is the truth.
    await writer.abandon();
    throw error;
  }
}

/** A run that does not begin has no record: somebody has to be told, since nothing remembers it. */
async function created(
  creating: Promise<RunWriter>,
  tell: (error: CairnError) => Promise<readonly string[]>,
): Promise<RunWriter> {
  try {
    return await creating;
  } catch (error) {
    if (!isCairnError(error)) throw error;
    const failures = await tell(error);
    if (failures.length === 0) throw error;
    throw new CairnError(error.code, `${error.message}; nobody could be told by ${failures.join(', nor by ')}`, {
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  }
}

function chosenSteps(job: JobFile, only: readonly MainStep[] | undefined): MainStep[] {
  const steps = mainStepsOf(job);
  const absent = only?.find((step) => !steps.includes(step));
  if (absent !== undefined) {
    throw new CairnError('USAGE', `the job ${job.name} has no step ${absent}`, { hint: `It has ${steps.join(', ')}.` });
  }
  return steps.filter((step) => only?.includes(step) !== false);
}

function kindOf(only: readonly MainStep[] | undefined): RunKind {
  const [step, ...more] = only ?? [];
  return step === undefined || more.length > 0 ? 'job' : step;
}

async function work(run: JobRun, steps: readonly MainStep[], { signal }: RunJobOptions, timer: Timer): Promise<void> {
  const { log, limits } = run;
  const done = new AbortController();
  const alive = log.keepAlive(limits['keep-alive'] ?? KEEP_ALIVE_MS, timer, done.signal);
  try {
    for (const warning of await lowerPriority(limits)) log.warn(warning);
    const startMs = run.surroundings.environment.clock.monotonicMs();
    await withinTime(
      `the job ${run.job.name}`,
      limits,
      signal,
      (text) => log.warn(text),
      async (inner) => {
        await new MainSteps(run, inner).all(steps);
        // A limit that was reached between two steps ended none of them.
        if (inner.aborted && !signal.aborted && !run.steps.some(({ error }) => error?.code === 'TIME_OVER')) {
          run.ended('time', startMs, endReason(inner), {});
        }
      },
    );
  } finally {
    done.abort();
    await alive;
    await closed(run);
  }
}

/** All is stored by then: that a store does not close well is worth a word, no more. */
async function closed({ repository, log }: JobRun): Promise<void> {
  try {
    await repository?.close();
  } catch (error) {
    log.warn(`the repository did not close well: ${knownError(error).message}`);
  }
}

async function end(run: JobRun, writer: RunWriter, signal: AbortSignal, alerts: AlertStep): Promise<RunOutcome> {
  const { job, log, steps, figures, archive } = run;
  if (writer.failure !== undefined)
    log.warn(`the record of this run is not whole: ${knownError(writer.failure).message}`);
  const outcome = (): RunOutcome => ({
    run: writer.id,
    job: job.name,
    ...verdict(steps, log.warnings, signal.aborted),
    seconds: writer.seconds,
    steps,
    figures,
    archive,
  });
  await alerts.ended(outcome());
  const last = outcome();
  const { status, exit } = last;
  await writer.end({ status, exit, figures, ...(archive === undefined ? {} : { archive }) });
  return last;
}

/** The last run before this one. Records of the past that cannot be read must not keep data from being saved. */
async function previousRun(runs: RunStore, { job, id, log }: JobRun): Promise<RunRecord | undefined> {
  try {
    return await lastJobRun(runs, job.name, id);
  } catch (error) {
    log.warn(`the records of earlier runs cannot be read: ${knownError(error).message}`);
    return undefined;
  }
}
