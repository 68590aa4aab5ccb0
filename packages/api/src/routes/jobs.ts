import { CairnError } from '@cairn/core';
import type { ListedJob } from '@cairn/jobs';
import { z } from 'zod';

import { reply } from '../http/reply.ts';
import { route } from '../http/route.ts';
import { jobStatus } from '../jobs/job-status.ts';
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
  running: z.boolean(),
  last: RUN.optional(),
  last_success: RUN.optional().describe('among the last 50 runs; with warnings too'),
  next: TIME.optional().describe('when its schedule starts it'),
  missed: TIME.optional().describe('when its schedule should have started it last, and nothing ran'),
});

async function jobBody(job: ListedJob, services: Services): Promise<z.input<typeof JOB>> {
  const { runs, jobs, repositories, environment } = services;
  const nowMs = Number(environment.clock.nowNs() / 1_000_000n);
  const { last, lastSuccess, nextMs, missedMs } = await jobStatus(runs, job, nowMs, jobs.timeZone);
  const repository = await jobs.repositoryOf(job.name, repositories);
  const { description, schedule } = job.job ?? {};
  return {
    name: job.name,
    ...(description === undefined ? {} : { description }),
    ...(repository === undefined ? {} : { repository }),
    steps: STEPS.filter((step) => job.job !== undefined && step in job.job && job.job[step] !== undefined),
    ...(schedule?.cron === undefined
      ? {}
      : { schedule: schedule.cron, time_zone: schedule['time-zone'] ?? jobs.timeZone }),
    ...(job.error === undefined ? {} : { error: job.error.message }),
    running: last?.status === 'running',
    ...(last === undefined ? {} : { last: runBody(last) }),
    ...(lastSuccess === undefined ? {} : { last_success: runBody(lastSuccess) }),
    ...(nextMs === undefined ? {} : { next: timeText(nextMs) }),
    ...(missedMs === undefined ? {} : { missed: timeText(missedMs) }),
  };
}

const STEPS = ['backup', 'prune', 'compact', 'check'] as const;

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
