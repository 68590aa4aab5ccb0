import { z } from 'zod';

import { TIME } from '../accounts/schemas.ts';
import { route } from '../http/route.ts';
import { RECOVERY_KEY_PARAMS } from './recovery-key.ts';

const PROGRESS = z.strictObject({
  run: z.string(),
  status: z.enum(['running', 'success', 'warning', 'failed', 'cancelled', 'lost']),
  started: TIME,
  ended: TIME.nullable(),
  steps: z.array(
    z.strictObject({
      step: z.string(),
      status: z.int().nullable().describe('null: under way; 0: done; 1: failed; 2: the store cannot be reached'),
      text: z.string().nullable().describe('what failed'),
    }),
  ),
});

const begin = route({
  method: 'POST',
  path: '/api/v1/repositories/{repository}/recovery-key/export',
  right: 'keys:export',
  gate: 'open',
  summary:
    'Begin to export the recovery key: a run that shows that the key opens the repository. It can be done again at any time',
  request: { params: RECOVERY_KEY_PARAMS },
  responses: { 202: { description: 'The run has begun.', schema: z.strictObject({ run: z.string() }) } },
  handler: async ({ params, note }, { keyExports }) => {
    const run = await keyExports.start(params.repository);
    note({ run });
    return { status: 202, body: { run } };
  },
});

const progress = route({
  method: 'GET',
  path: '/api/v1/repositories/{repository}/recovery-key/export',
  right: 'keys:export',
  gate: 'open',
  summary: 'Tell how far the last export of the current key is',
  request: { params: RECOVERY_KEY_PARAMS },
  responses: { 200: { description: 'Its run and steps; null when there was none.', schema: PROGRESS.nullable() } },
  handler: async ({ params }, { keyExports }) => {
    const found = await keyExports.progress(params.repository);
    if (found === undefined) return { status: 200, body: null };
    const { run, steps } = found;
    const { id, status, startedAt, endedAt } = run;
    return {
      status: 200,
      body: {
        run: id,
        status,
        started: startedAt,
        ended: endedAt ?? null,
        steps: steps.map(({ step, status: how, text }) => ({ step, status: how, text: text ?? null })),
      },
    };
  },
});

export const KEY_EXPORT_ROUTES = [begin, progress] as const;
