import type { JsonObject } from '@cairn/api/shapes';
import { listJobs, type ListedJob } from '@cairn/jobs';

import type { Context } from '../context.ts';
import { addJobsDirectory, jobsDirectoryOf } from '../jobs/job-context.ts';
import { JsonArray } from '../output/json-array.ts';
import { formatTable } from '../output/table.ts';
import type { Verb } from '../verb.ts';

export const jobList: Verb = {
  define(command) {
    addJobsDirectory(command)
      .description('List the jobs of the jobs directory. Exits with 2 when one cannot be read; the others are listed.')
      .addHelpText('after', '\nExample:\n  cairn job list');
  },

  async run(context) {
    const jobs = await listJobs(jobsDirectoryOf(context));
    await (context.json ? printJson(context, jobs) : printTable(context, jobs));
    for (const { error } of jobs) if (error !== undefined) context.messages.warn(error.message);
    return jobs.find(({ error }) => error !== undefined)?.error?.exit ?? 0;
  },
};

async function printTable({ output, messages, settings }: Context, jobs: readonly ListedJob[]): Promise<void> {
  if (jobs.length === 0) messages.info(`there is no job in ${settings.text('jobs-directory') ?? ''}`);
  const rows = jobs.map(({ name, job }) => [
    name,
    job === undefined ? 'cannot be read' : scheduleText(job),
    job?.description ?? '',
  ]);
  if (rows.length > 0)
    for (const line of formatTable([['job', 'schedule', 'description'], ...rows])) await output.line(line);
}

/** `30 2 * * * Europe/Madrid, on change`. */
function scheduleText({ schedule }: NonNullable<ListedJob['job']>): string {
  if (schedule === undefined) return 'none';
  const { cron, 'time-zone': zone, 'on-change': change } = schedule;
  const times = cron === undefined ? [] : [zone === undefined ? cron : `${cron} ${zone}`];
  return [...times, ...(change === undefined ? [] : ['on change'])].join(', ');
}

async function printJson({ output }: Context, jobs: readonly ListedJob[]): Promise<void> {
  const array = new JsonArray(output);
  for (const { name, file, job, error } of jobs) {
    await array.add({
      name,
      file,
      ...(job?.description === undefined ? {} : { description: job.description }),
      ...(job?.schedule?.cron === undefined ? {} : { cron: job.schedule.cron }),
      ...(job?.schedule?.['time-zone'] === undefined ? {} : { time_zone: job.schedule['time-zone'] }),
      on_change: job?.schedule?.['on-change'] !== undefined,
      ...(error === undefined ? {} : { error: error.toJSON() as unknown as JsonObject }),
    });
  }
  await array.end();
}
