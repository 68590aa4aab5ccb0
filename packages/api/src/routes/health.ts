import { z } from 'zod';

import { route } from '../http/route.ts';

const health = route({
  method: 'GET',
  path: '/api/v1/health',
  right: 'public',
  gate: 'open',
  summary: 'Tell whether the panel works',
  responses: { 200: { description: 'It does.', schema: z.strictObject({ status: z.literal('ok') }) } },
  handler: (_, { state }) => {
    state.get('SELECT 1');
    return { status: 200, body: { status: 'ok' as const } };
  },
});

const openApi = route({
  method: 'GET',
  path: '/api/v1/openapi.json',
  right: 'public',
  gate: 'open',
  summary: 'Get this document',
  responses: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({ openapi: z.string() }) } },
  handler: (_, { openApi: document }) => new Response(document, { headers: { 'content-type': 'application/json' } }),
});

export const HEALTH_ROUTES = [health, openApi] as const;
