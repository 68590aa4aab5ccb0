import { ERROR_TABLE, systemEnvironment } from '@cairn/core';
import { listJobs, TurnQueue } from '@cairn/jobs';

import type { Context } from '../context.ts';
import { jobsDirectoryOf } from './job-context.ts';
import { startRun } from './start-run.ts';

/** Runs of a job that fails, unless more or fewer are asked for. */
const MOST_ATTEMPTS = 3;

/** Runs all jobs of the jobs directory, one after the other. Gives the exit status of the first that failed to the end. */
export async function runAll(
  context: Context,
  {
    maxRuns = MOST_ATTEMPTS,
    maxTime,
    slice,
  }: { readonly maxRuns?: number; readonly maxTime?: number; readonly slice?: number },
): Promise<number> {
  const { messages, output, json, signal } = context;
  const directory = jobsDirectoryOf(context);
  const jobs = await listJobs(directory);
  const queue = new TurnQueue({
    clock: systemEnvironment.clock,
    mostAttempts: maxRuns,
    ...(maxTime === undefined ? {} : { mostMs: maxTime }),
    ...(slice === undefined ? {} : { sliceMs: slice }),
    start: ({ job, trigger }, inner) =>
      startRun({ directory, job, trigger, signal: inner, json, onFailure: (text) => messages.warn(text) }),
    onEnd: ({ job }, exit, next) => {
      if (next === 'again') messages.info(`${job} ended with status ${exit}; it is run again after the others`);
      else if (next === 'given up') messages.warn(`${job} ended with status ${exit}`);
    },
  });
  let status = 0;
  for (const { name, error } of jobs) {
    if (error === undefined) queue.add(name, 'manual');
    else {
      messages.warn(error.message);
      status = error.exit;
    }
  }
  if (jobs.length === 0) messages.info(`there is no job in ${directory}`);
  const exits = await queue.drain(signal);
  for (const [, exit] of exits) if (status === 0) status = exit;
  for (const { name, error } of jobs) {
    if (error === undefined && !exits.has(name)) {
      messages.warn(`${name} was not run: there was no time left`);
      if (status === 0) status = ERROR_TABLE.TIME_OVER.exit;
    }
  }
  await output.flush();
  return status;
}
