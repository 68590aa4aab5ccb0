import { formatDuration } from '@cairn/core';
import { jobStatus as statusOf, listJobs, runJson, type JobStatus, type ListedJob, type RunRecord } from '@cairn/jobs';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobMeant, jobsDirectoryOf, runStoreOf } from '../jobs/job-context.ts';
import { formatStoreTime } from '../output/format.ts';
import { JsonArray } from '../output/json-array.ts';
import { formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

export const jobStatus: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description(
        'Show for each job its last run, its last success, the next run, and how many were missed since the last one. Exits with 2 when ' +
          'a job cannot be read, which then does not run; the others are shown.',
      )
      .argument('[job...]', 'names of jobs; all when none is given')
      .addHelpText('after', '\nExample:\n  cairn job status');
  },

  async run(context, { operands }) {
    const runs = runStoreOf(context);
    const listed: readonly Pick<ListedJob, 'job' | 'error'>[] =
      operands.length > 0
        ? await Promise.all(operands.map(async (operand) => ({ job: await jobMeant(context, operand) })))
        : await listJobs(jobsDirectoryOf(context));
    const jobs = listed.flatMap(({ job }) => job ?? []);
    const statuses: JobStatus[] = [];
    for (const job of jobs) statuses.push(await statusOf(job, runs, Date.now()));
    await (context.json ? printJson(context, statuses) : printTable(context, statuses));
    for (const { error } of listed) if (error !== undefined) context.messages.warn(error.message);
    return listed.find(({ error }) => error !== undefined)?.error?.exit ?? 0;
  },
};

async function printTable({ output, messages }: Context, statuses: readonly JobStatus[]): Promise<void> {
  if (statuses.length === 0) {
    messages.info('there is no job');
    return;
  }
  const rows = statuses.map(({ job, running, last, lastSuccess, nextMs, missed }) => [
    job,
    running === undefined ? lastText(last) : `running since ${timeOf(running)}`,
    lastSuccess === undefined ? 'never' : timeOf(lastSuccess),
    nextMs === undefined ? '-' : formatStoreTime(nextMs),
    missed === 0 ? '-' : String(missed),
  ]);
  for (const line of formatTable([['job', 'last run', 'last success', 'next run', 'missed'], ...rows])) {
    await output.line(line);
  }
}

function lastText(last: RunRecord | undefined): string {
  if (last === undefined) return 'never';
  const took = last.seconds === undefined ? '' : ` after ${formatDuration(1000 * last.seconds)}`;
  return `${timeOf(last)} ${last.status}${took}`;
}

function timeOf({ startedAt }: RunRecord): string {
  return formatStoreTime(Date.parse(startedAt));
}

async function printJson({ output }: Context, statuses: readonly JobStatus[]): Promise<void> {
  const array = new JsonArray(output);
  for (const { job, running, last, lastSuccess, nextMs, missed } of statuses) {
    await array.add({
      job,
      ...(running === undefined ? {} : { running: runJson(running) }),
      ...(last === undefined ? {} : { last: runJson(last) }),
      ...(lastSuccess === undefined ? {} : { last_success: runJson(lastSuccess) }),
      ...(nextMs === undefined ? {} : { next: new Date(nextMs).toISOString() }),
      missed,
    });
  }
  await array.end();
}
