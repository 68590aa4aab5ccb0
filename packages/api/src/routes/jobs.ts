import { CairnError } from '@cairn/core';
import { jobStatus, zoneOf, type ListedJob } from '@cairn/jobs';
import { z } from 'zod';

import { reply } from '../http/reply.ts';
import { route } from '../http/route.ts';
import { RUN, runBody } from '../runs/run-schema.ts';
import type { Services } from '../services.ts';
import { timeText } from '../state/time.ts';
import { mayKnowJob } from './runs.ts';

const TIME = z.string().describe('RFC 3339 in UTC');

const JOB = z.strictObject({
  name: z.string(),
  description: z.string().optional(),
  repository: z.string().optional().describe('its name in the panel; absent: one that the panel does not have'),
  steps: z.array(z.string()).describe('what it does, in this order'),
  schedule: z.string().optional().describe('as in crontab(5)'),
  time_zone: z.string().optional(),
  error: z.string().optional().describe('why its file cannot be read; it then has neither steps nor schedule'),
  running: RUN.optional().describe('the run that is under way'),
  last: RUN.optional().describe('the last one that has ended, or was lost'),
  last_success: RUN.optional().describe('with warnings or without'),
  next: TIME.optional().describe('when its schedule starts it'),
  missed: z.int().describe('times of its schedule since the last run that passed without one'),
});

/** A job whose file is wrong has runs all the same, but no schedule that could be read. */
async function jobBody(listed: ListedJob, services: Services): Promise<z.input<typeof JOB>> {
  const { runs, jobs, repositories, environment } = services;
  const { name, job, error } = listed;
  const nowMs = Number(environment.clock.nowNs() / 1_000_000n);
  const status = job === undefined ? undefined : await jobStatus(job, runs, nowMs);
  const repository = await jobs.repositoryOf(name, repositories);
  const cron = job?.schedule?.cron;
  return {
    name,
    ...(job?.description === undefined ? {} : { description: job.description }),
    ...(repository === undefined ? {} : { repository }),
    steps: STEPS.filter((step) => job !== undefined && step in job),
    ...(cron === undefined || job?.schedule === undefined ? {} : { schedule: cron, time_zone: zoneOf(job.schedule) }),
    ...(error === undefined ? {} : { error: error.message }),
    ...(status?.running === undefined ? {} : { running: runBody(status.running) }),
    ...(status?.last === undefined ? {} : { last: runBody(status.last) }),
    ...(status?.lastSuccess === undefined ? {} : { last_success: runBody(status.lastSuccess) }),
    ...(status?.nextMs === undefined ? {} : { next: timeText(status.nextMs) }),
    missed: status?.missed ?? 0,
  };
}

const STEPS = ['dumps', 'backup', 'prune', 'compact', 'check'] as const;

const list = route({
  method: 'GET',
  path: '/api/v1/jobs',
  right: 'jobs:read',
  summary: 'List jobs: what runs, what ran last and how, what runs next, and what did not run',
  responses: { 200: { description: 'By name.', schema: z.strictObject({ jobs: z.array(JOB) }) } },
  handler: async ({ principal }, services) => {
    const found: z.input<typeof JOB>[] = [];
    for (const job of await services.jobs.all()) {
      if (await mayKnowJob(principal, job.name, services)) found.push(await jobBody(job, services));
    }
    return reply(200, { jobs: found });
  },
});

const one = route({
  method: 'GET',
  path: '/api/v1/jobs/{job}',
  right: 'jobs:read',
  summary: 'Show a job',
  request: { params: z.strictObject({ job: z.string().min(1).max(63) }) },
  responses: { 200: { description: 'The job.', schema: JOB } },
  handler: async ({ params, principal }, services) => {
    const job = (await services.jobs.all()).find(({ name }) => name === params.job);
    if (job !== undefined && (await mayKnowJob(principal, job.name, services))) {
      return reply(200, await jobBody(job, services));
    }
    throw new CairnError('NOT_FOUND', `there is no job ${JSON.stringify(params.job)}`, {
      hint: 'GET /api/v1/jobs lists them.',
    });
  },
});

export const JOB_ROUTES = [list, one] as const;
