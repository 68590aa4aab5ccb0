import { CairnError, describePolicy, type PendingDeletions, type PruneOptions } from '@cairn/core';
import { z } from 'zod';

import type { ArchiveListing } from '../archives/archive-listing.ts';
import { reply } from '../http/reply.ts';
import { REPOSITORY_PARAM, route } from '../http/route.ts';
import { calendarJson } from '../retention/calendar.ts';
import { pendingJson } from '../retention/pending-json.ts';
import { applyPrunes, planPrunes } from '../retention/prune-plans.ts';
import { COMPACT_PLAN, PENDING, POLICIES, PRUNE_PLAN, PRUNED, RULES } from '../retention/retention-schemas.ts';
import type { PolicyBook } from '../retention/series-policy.ts';
import { RUN, runBody } from '../runs/run-schema.ts';
import { pruneJson, storeTime, type JsonObject } from '../shapes/index.ts';

const PARAMS = z.strictObject({ repository: REPOSITORY_PARAM });
const PLAN_BODY = z.strictObject({ plan: z.string().min(1).max(64).describe('As the plan said.') });

const policies = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/retention',
  right: 'retention:read',
  summary: 'Show which policy holds for each series',
  request: { params: PARAMS },
  responses: { 200: { description: 'By series.', schema: POLICIES } },
  handler: async ({ params, signal }, { repositories, catalog, jobs }) =>
    await repositories.use(
      params.repository,
      async ({ repository }) => {
        const book = await jobs.policies(repositories.config(params.repository).address);
        const listing = await catalog.listing(params.repository, repository);
        return reply(200, POLICIES.parse({ series: seriesJson(listing, book) }));
      },
      signal,
    ),
});

function seriesJson(listing: ArchiveListing, book: PolicyBook): JsonObject[] {
  const live = listing.archives.filter(({ state }) => state === 'live');
  const names = [...new Set(live.map(({ descriptor }) => descriptor.series))].toSorted();
  return names.map((series) => {
    const { policy, timeZone, time, graceMs, job } = book.of(series);
    const outlooks = live.filter(({ descriptor }) => descriptor.series === series).map(({ id }) => listing.outlook(id));
    const kept = outlooks.filter((outlook) => outlook !== undefined && outlook.reasons.length > 0);
    const next = Math.min(...kept.map((outlook) => outlook?.goesMs ?? Infinity));
    return {
      series,
      policy: describePolicy(policy),
      rules: { ...policy },
      time_zone: timeZone,
      by: time,
      grace_ms: graceMs,
      ...(job === undefined ? {} : { job }),
      archives: outlooks.length,
      kept: kept.length,
      ...(next === Infinity ? {} : { next: storeTime(next) }),
    };
  });
}

const plan = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/prune/plan',
  right: 'retention:read',
  summary: 'Plan a prune: what it would keep and why, what it would remove, and a calendar of both',
  request: {
    params: PARAMS,
    body: z.strictObject({
      series: z.array(z.string().min(1)).min(1).max(1_000).optional().describe('Default: all.'),
      rules: RULES.optional().describe('In place of the policies that hold.'),
      time_zone: z.string().optional(),
      by: z.enum(['received', 'started']).optional(),
      max_share: z.int().min(0).max(100).optional().describe('Percent of a series that may be removed at once.'),
    }),
  },
  responses: { 200: { description: 'The plan. Nothing is done yet.', schema: PRUNE_PLAN } },
  handler: async ({ params, body, signal }, { repositories, jobs, prunePlans }) =>
    await repositories.use(
      params.repository,
      async ({ repository }) => {
        const book = await jobs.policies(repositories.config(params.repository).address);
        const request = { series: body.series, instead: insteadOf(body, jobs.timeZone) };
        const planned = await planPrunes(repository, book, request);
        const { id, untilMs } = prunePlans.put(params.repository, planned);
        const prunes = planned.plans.map(({ plan: one, policy }) => ({
          ...pruneJson(one, true),
          ...(policy?.job === undefined ? {} : { job: policy.job }),
          calendar: calendarJson(one),
        }));
        return reply(200, PRUNE_PLAN.parse({ plan: id, until: storeTime(untilMs), prunes }));
      },
      signal,
    ),
});

interface PlanBody {
  readonly rules?: z.output<typeof RULES> | undefined;
  readonly time_zone?: string | undefined;
  readonly by?: PruneOptions['time'] | undefined;
  readonly max_share?: number | undefined;
}

/** Rejects with `USAGE` for what goes with rules, without any. */
function insteadOf(
  { rules, time_zone: zone, by, max_share: share }: PlanBody,
  ownZone: string,
): PruneRequestOptions | undefined {
  if (rules === undefined) {
    if (zone === undefined && by === undefined && share === undefined) return undefined;
    throw new CairnError('USAGE', '`time_zone`, `by` and `max_share` belong to `rules`, which are not given');
  }
  return {
    policy: Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined)),
    timeZone: zone ?? ownZone,
    ...(by === undefined ? {} : { time: by }),
    ...(share === undefined ? {} : { maxShare: share / 100 }),
  };
}

type PruneRequestOptions = Omit<PruneOptions, 'series'>;

const apply = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/prune',
  right: 'retention:apply',
  summary: 'Carry out a plan of a prune, once',
  request: { params: PARAMS, body: PLAN_BODY },
  responses: { 200: { description: 'What was kept and removed.', schema: PRUNED } },
  handler: async ({ params, body, principal, note }, { repositories, prunePlans }) =>
    await repositories.use(params.repository, async ({ repository }) => {
      const planned = prunePlans.take(params.repository, body.plan);
      const reports = await applyPrunes(repository, planned, { by: `${principal.name} (panel)` });
      note({ removed: reports.reduce((sum, { removed }) => sum + removed.length, 0) });
      return reply(200, PRUNED.parse({ prunes: planned.plans.map((one) => pruneJson(one.plan, false)) }));
    }),
});

const pending = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/pending',
  right: 'retention:read',
  summary: 'Tell what is deleted or condemned, and when it may go',
  request: { params: PARAMS },
  responses: { 200: { description: 'What goes first comes first.', schema: PENDING } },
  handler: async ({ params, signal }, { repositories, jobs }) =>
    await repositories.use(
      params.repository,
      async ({ repository }) => {
        const graceMs = await jobs.graceMs(repositories.config(params.repository).address);
        return reply(200, PENDING.parse(pendingJson(await repository.pending(graceMs))));
      },
      signal,
    ),
});

const planCompact = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/compact/plan',
  right: 'retention:read',
  summary: 'Plan a compact: which archives it would drop for ever, and what it would remove',
  request: { params: PARAMS },
  responses: { 200: { description: 'The plan. Nothing is done yet.', schema: COMPACT_PLAN } },
  handler: async ({ params, signal }, { repositories, jobs, compactPlans }) =>
    await repositories.use(
      params.repository,
      async ({ repository }) => {
        const found = await repository.pending(await jobs.graceMs(repositories.config(params.repository).address));
        const { id, untilMs } = compactPlans.put(params.repository, found);
        return reply(200, COMPACT_PLAN.parse({ plan: id, until: storeTime(untilMs), ...pendingJson(found) }));
      },
      signal,
    ),
});

const compact = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/compact',
  right: 'retention:apply',
  summary: 'Carry out a plan of a compact, once, as a run',
  request: { params: PARAMS, body: PLAN_BODY },
  responses: { 202: { description: 'The run that does it.', schema: RUN } },
  handler: async ({ params, body, note }, services) => {
    const { repositories, compactPlans, launcher, acts } = services;
    const graceMs = await repositories.use(params.repository, async ({ repository }) => {
      const planned = compactPlans.take(params.repository, body.plan);
      assertDropsTheSame(planned, await repository.pending(planned.graceMs));
      return planned.graceMs;
    });
    const run = await launcher.start({ toml: acts.compact(params.repository, graceMs) });
    note({ run: run.id });
    return reply(202, runBody(run));
  },
});

/** An archive that was brought back since, or whose grace ended since, is not what somebody said yes to. */
function assertDropsTheSame(planned: PendingDeletions, now: PendingDeletions): void {
  const drops = ({ archives }: PendingDeletions): string =>
    archives.flatMap(({ archive, heldBy }) => (heldBy === undefined ? [archive.id] : [])).join(' ');
  if (drops(planned) === drops(now)) return;
  throw new CairnError('PLAN_STALE', 'other archives would be dropped now than when the plan was made', {
    hint: 'Make the plan again, and look at it.',
  });
}

export const RETENTION_ROUTES = [policies, plan, apply, pending, planCompact, compact] as const;
