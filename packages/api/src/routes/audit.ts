import { z } from 'zod';

import { TIME } from '../accounts/schemas.ts';
import { route } from '../http/route.ts';
import { timeText } from '../state/time.ts';

const ENTRY = z.strictObject({
  id: z.int(),
  at: TIME,
  account: z.string().nullable().describe('null: nobody was logged in'),
  via: z.string().nullable().describe('session or token, and its id'),
  address: z.string(),
  act: z.string().describe('method and path of the route'),
  target: z.string().describe('the path as it was asked for'),
  status: z.int().nullable().describe('HTTP status; null: the panel was ended before the act was over'),
  code: z.string().nullable(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** Digits of a query become a number; without them any text would. */
const NUMBER = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

const list = route({
  method: 'GET',
  path: '/api/v1/audit',
  right: 'audit:read',
  summary: 'Read the audit trail: who did what, from where, and how it ended',
  request: {
    query: z.strictObject({
      before: NUMBER.optional().describe('only what is older than the entry with this id'),
      limit: NUMBER.pipe(z.int().min(1).max(1_000)).default(100),
      account: z.string().max(63).optional(),
      act: z.string().max(200).optional(),
    }),
  },
  responses: { 200: { description: 'The newest first.', schema: z.array(ENTRY) } },
  handler: ({ query }, { audit }) => ({
    status: 200,
    body: audit.list(query).map(({ atMs, ...entry }) => ({ ...entry, at: timeText(atMs) })),
  }),
});

export const AUDIT_ROUTES = [list] as const;
