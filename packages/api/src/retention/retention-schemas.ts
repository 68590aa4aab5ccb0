import { ALGORITHMS, COUNT_RULES } from '@cairn/core';
import { z } from 'zod';

import { ARCHIVE } from '../archives/archive-schemas.ts';

const TIME = z.string().describe('RFC 3339 in UTC');

const COUNT = z.int().min(-1).max(1_000_000).optional().describe('How many to keep; -1 keeps all.');

/** The rules of a policy, by name. */
export const RULES = z.strictObject({
  ...(Object.fromEntries(COUNT_RULES.map((rule) => [rule, COUNT])) as Record<
    (typeof COUNT_RULES)[number],
    typeof COUNT
  >),
  within: z.string().optional().describe('Keep all that is younger, as in `2w`.'),
  algorithm: z.enum(ALGORITHMS).optional(),
});

/** The policies of a repository. */
export const POLICIES = z.strictObject({
  series: z.array(
    z.strictObject({
      series: z.string(),
      policy: z.string().describe('as `7 daily, 8 weekly, 4 monthly`'),
      rules: RULES,
      time_zone: z.string(),
      by: z.enum(['received', 'started']),
      grace_ms: z.int(),
      job: z
        .string()
        .optional()
        .describe('the job that carries it out; absent: the default, which nothing carries out'),
      archives: z.int(),
      kept: z.int().describe('archives that the next prune keeps'),
      next: TIME.optional().describe('when the first of those that are kept is foreseen to go'),
    }),
  ),
});

const VERDICT = z.strictObject({
  id: z.string(),
  name: z.string(),
  time: TIME.optional(),
  keep: z.boolean(),
  reasons: z.array(z.string()),
});

/** A prune as `cairn prune --json` shows it. */
const PRUNE = z.strictObject({
  dry_run: z.boolean(),
  algorithm: z.string(),
  policy: z.string(),
  time_zone: z.string(),
  by: z.string(),
  max_share: z.int(),
  kept: z.int(),
  removed: z.int(),
  series: z.array(
    z.strictObject({
      series: z.string(),
      kept: z.int(),
      removed: z.int(),
      exceeds: z.boolean().describe('true: more would go than is allowed at once, and the plan would be refused'),
      archives: z.array(VERDICT),
    }),
  ),
});

const CALENDAR = z.array(
  z.strictObject({
    series: z.string(),
    days: z.array(
      z.strictObject({
        day: z.string(),
        kept: z.int(),
        removed: z.int(),
        archives: z.array(VERDICT.omit({ time: true })),
      }),
    ),
  }),
);

export const PRUNE_PLAN = z.strictObject({
  plan: z.string().describe('to carry it out'),
  until: TIME.describe('when it is too old to be carried out'),
  prunes: z.array(z.strictObject({ ...PRUNE.shape, job: z.string().optional(), calendar: CALENDAR })),
});

export const PRUNED = z.strictObject({ prunes: z.array(PRUNE) });

export const PENDING = z.strictObject({
  log_entry: z.int(),
  grace_ms: z.int(),
  archives: z.array(
    z.strictObject({
      ...ARCHIVE.shape,
      held_by: z.enum(['grace', 'pin', 'protection']).optional().describe('absent: the next compact drops it'),
      space_from: TIME.optional().describe(
        'when the space that only it takes may be free, if compact runs at both times',
      ),
    }),
  ),
  objects: z.array(z.strictObject({ since: TIME, removable: TIME, packs: z.int(), segments: z.int() })),
});

export const COMPACT_PLAN = z.strictObject({ plan: z.string(), until: TIME, ...PENDING.shape });
