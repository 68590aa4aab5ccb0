import { z } from 'zod';

import { route } from '../http/route.ts';
import { mayUseRepository } from '../rights/principal.ts';

const REPOSITORY = z.strictObject({ name: z.string(), address: z.string() });

const list = route({
  method: 'GET',
  path: '/api/v1/repositories',
  right: 'archives:read',
  summary: 'List the repositories that you may ask for',
  responses: { 200: { description: 'As in the panel’s file.', schema: z.array(REPOSITORY) } },
  handler: ({ principal }, { repositories }) => ({
    status: 200,
    body: repositories
      .names()
      .filter((name) => mayUseRepository(principal, name))
      .map((name) => ({ name, address: repositories.config(name).address })),
  }),
});

export const REPOSITORY_ROUTES = [list] as const;
