import { CairnError, isCairnError } from '@cairn/core';
import type { RunRecord } from '@cairn/jobs';
import { z } from 'zod';

import { identify } from '../http/identify.ts';
import { numberText } from '../http/query-values.ts';
import { reply } from '../http/reply.ts';
import { REPOSITORY_PARAM, route, type Call } from '../http/route.ts';
import { streamAnswer } from '../http/stream-answer.ts';
import { mayUseRepository, type Principal } from '../rights/principal.ts';
import { offsetOf, sendEvents } from '../runs/event-stream.ts';
import { RUN, RUN_EVENT, runBody } from '../runs/run-schema.ts';
import { readRunLog } from '../runs/run-log.ts';
import type { Services } from '../services.ts';

/** Runs of one answer at most, and events of one. */
const MOST_RUNS = 500;
const MOST_EVENTS = 5_000;

/** nginx would gather the events. */
const EVENT_STREAM = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' };

const RUN_PARAMS = z.strictObject({ run: z.string().min(1).max(64) });
const JOB_NAME_TEXT = z.string().min(1).max(63);

/** Whether somebody may know of runs of a job: whoever may use all repositories, or that of the job. */
export async function mayKnowJob(principal: Principal, job: string, services: Services): Promise<boolean> {
  if (principal.repositories === undefined) return true;
  const repository = services.acts.repositoryOf(job) ?? (await services.jobs.repositoryOf(job, services.repositories));
  return repository !== undefined && mayUseRepository(principal, repository);
}

/** The run of that id. Rejects with `NOT_FOUND`, also for one that the principal may not know of. */
async function runOf(id: string, principal: Principal, services: Services): Promise<RunRecord> {
  const run = await services.runs.get(id);
  if (await mayKnowJob(principal, run.job, services)) return run;
  throw new CairnError('NOT_FOUND', `there is no run ${JSON.stringify(id)}`);
}

const start = route({
  method: 'POST',
  path: '/api/v1/runs',
  right: 'runs:start',
  summary: 'Start a run of a job',
  request: { body: z.strictObject({ job: JOB_NAME_TEXT }) },
  responses: { 202: { description: 'The run; it goes on by itself.', schema: RUN } },
  handler: async ({ body, principal, note }, services) => {
    if (!(await mayKnowJob(principal, body.job, services))) throw noSuchJob(body.job);
    // Only what is in the jobs directory: a path, or a job on standard input, is for who may write files there.
    if (!(await services.jobs.all()).some(({ name }) => name === body.job)) throw noSuchJob(body.job);
    const run = await services.launcher.start({ job: body.job });
    note({ run: run.id, job: body.job });
    return reply(202, runBody(run));
  },
});

function noSuchJob(name: string): CairnError {
  return new CairnError('NOT_FOUND', `there is no job ${JSON.stringify(name)}`, {
    hint: 'GET /api/v1/jobs lists them.',
  });
}

const check = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/check',
  right: 'runs:start',
  summary: 'Start a check of a repository',
  request: {
    params: z.strictObject({ repository: REPOSITORY_PARAM }),
    body: z
      .strictObject({
        seconds: z
          .int()
          .min(1)
          .max(604_800)
          .optional()
          .describe('Read data for so long, what was read longest ago first.'),
        percent: z.int().min(1).max(100).optional().describe('Read the data of that share of the packs.'),
      })
      .refine(({ seconds, percent }) => seconds === undefined || percent === undefined, 'give seconds or percent'),
  },
  responses: { 202: { description: 'The run.', schema: RUN } },
  handler: async ({ params, body, note }, { launcher, acts }) => {
    const timeMs = body.seconds === undefined ? undefined : body.seconds * 1000;
    const run = await launcher.start({ toml: acts.check(params.repository, { timeMs, percent: body.percent }) });
    note({ run: run.id });
    return reply(202, runBody(run));
  },
});

const list = route({
  method: 'GET',
  path: '/api/v1/runs',
  right: 'runs:read',
  summary: 'List runs, the newest first, with their figures',
  request: {
    query: z.strictObject({
      job: JOB_NAME_TEXT.optional(),
      before: z.string().max(64).optional().describe('Runs older than the one of this id.'),
      limit: numberText(1, MOST_RUNS, 50),
    }),
  },
  responses: {
    200: {
      description: 'Runs; `next` is what to ask `before` for.',
      schema: z.strictObject({ runs: z.array(RUN), next: z.string().optional() }),
    },
  },
  handler: async ({ query, principal }, services) => {
    const { job, before, limit } = query;
    const names = job === undefined ? await services.runs.jobs() : [job];
    const known = await Promise.all(names.map((name) => mayKnowJob(principal, name, services)));
    const jobs = names.filter((_, i) => known[i]);
    const filter = { limit, ...(before === undefined ? {} : { before }) };
    const all = jobs.length === names.length && job === undefined;
    const lists = all
      ? [await services.runs.list(filter)]
      : await Promise.all(jobs.map((name) => services.runs.list({ ...filter, job: name })));
    const runs = lists
      .flat()
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .slice(0, limit);
    const next = runs.length < limit ? undefined : runs.at(-1)?.id;
    return reply(200, { runs: runs.map(runBody), ...(next === undefined ? {} : { next }) });
  },
});

const one = route({
  method: 'GET',
  path: '/api/v1/runs/{run}',
  right: 'runs:read',
  summary: 'Show a run',
  request: { params: RUN_PARAMS },
  responses: { 200: { description: 'The run.', schema: RUN } },
  handler: async ({ params, principal }, services) => reply(200, runBody(await runOf(params.run, principal, services))),
});

const log = route({
  method: 'GET',
  path: '/api/v1/runs/{run}/log',
  right: 'runs:read',
  summary: 'Show what a run wrote down so far, without waiting for more',
  request: {
    params: RUN_PARAMS,
    query: z.strictObject({
      from: numberText(0, Number.MAX_SAFE_INTEGER, 0).describe(
        'Where to go on: `next` of the answer before. Default: 0.',
      ),
      limit: numberText(1, MOST_EVENTS, 1_000),
    }),
  },
  responses: {
    200: {
      description: 'Events, the oldest first.',
      schema: z.strictObject({ events: z.array(RUN_EVENT), next: z.int(), more: z.boolean() }),
    },
  },
  handler: async ({ params, query, principal }, services) => {
    const run = await runOf(params.run, principal, services);
    return reply(200, await readRunLog(services.runs, run, query.from, query.limit));
  },
});

const follow = route({
  method: 'GET',
  path: '/api/v1/runs/{run}/events',
  right: 'runs:read',
  summary: 'Follow a run by server-sent events; `Last-Event-ID` goes on where a stream broke off',
  request: { params: RUN_PARAMS },
  responses: {
    200: { description: 'What is in the record, and then each event as it happens.', mediaType: 'text/event-stream' },
  },
  handler: async (call, services) => {
    const from = offsetOf(call.headers.get('last-event-id') ?? undefined);
    const { id } = await runOf(call.params.run, call.principal, services);
    const { runs, logger, signal: ending } = services;
    const send = streamAnswer(call, services, (error) => {
      logger.error('following a run broke off', { run: id, error: String(error) });
    });
    return await send({ status: 200, headers: EVENT_STREAM }, async (sink, gone) => {
      const leaving = new AbortController();
      const events = runs.follow(id, from, AbortSignal.any([gone, ending, leaving.signal]));
      try {
        await sendEvents(events, sink, services.environment.clock, () => mayStillFollow(call, services));
      } finally {
        // Whoever follows holds the record open: wherever it stopped, it is let go.
        leaving.abort();
        await events.return(undefined);
      }
    });
  },
});

/** Whether who follows has not lost the right since. */
function mayStillFollow({ context }: Pick<Call, 'context'>, services: Services): boolean {
  try {
    return identify(context, services).rights.has('runs:read');
  } catch (error) {
    if (isCairnError(error, 'LOGIN_REQUIRED')) return false;
    throw error;
  }
}

const cancel = route({
  method: 'POST',
  path: '/api/v1/runs/{run}/cancel',
  right: 'runs:cancel',
  summary: 'Ask a run to end; what it has stored is found again by the next one',
  request: { params: RUN_PARAMS },
  responses: { 202: { description: 'It was asked. Its record says when it has ended.', schema: RUN } },
  handler: async ({ params, principal }, services) => {
    await runOf(params.run, principal, services);
    return reply(202, runBody(await services.launcher.cancel(params.run)));
  },
});

export const RUN_ROUTES = [start, check, list, one, log, follow, cancel] as const;
