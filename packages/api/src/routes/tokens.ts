import { CairnError, PANEL } from '@cairn/core';
import { z } from 'zod';

import { REPOSITORIES, RIGHT, TIME } from '../accounts/schemas.ts';
import type { ApiToken } from '../accounts/tokens.ts';
import { route } from '../http/route.ts';
import { nowMs, optionalTime, timeText } from '../state/time.ts';

const DAY_MS = 86_400_000;

export const TOKEN = z.strictObject({
  id: z.string(),
  name: z.string(),
  rights: z.array(RIGHT),
  repositories: z.array(z.string()).nullable().describe('null: all of the account'),
  created: TIME,
  expires: TIME,
  used: TIME.nullable(),
});

export function tokenJson(token: ApiToken): z.input<typeof TOKEN> {
  return {
    id: token.id,
    name: token.name,
    rights: [...token.rights],
    repositories: token.repositories === undefined ? null : [...token.repositories],
    created: timeText(token.createdMs),
    expires: timeText(token.expiresMs),
    used: optionalTime(token.usedMs),
  };
}

const list = route({
  method: 'GET',
  path: '/api/v1/tokens',
  right: 'self',
  summary: 'List your tokens; the tokens themselves nobody can see again',
  responses: { 200: { description: 'The newest first.', schema: z.array(TOKEN) } },
  handler: ({ principal }, { tokens }) => ({ status: 200, body: tokens.list(principal.account).map(tokenJson) }),
});

const create = route({
  method: 'POST',
  path: '/api/v1/tokens',
  right: 'self',
  only: 'session',
  summary: 'Make a token for a program, with some of your rights; it is shown this once',
  request: {
    body: z.strictObject({
      name: z.string().min(1).max(100),
      rights: z.array(RIGHT).min(1),
      repositories: REPOSITORIES.optional(),
      expires_in_days: z.int().min(1).max(PANEL.tokenDays).default(90),
    }),
  },
  responses: { 201: { description: 'Made.', schema: TOKEN.extend({ token: z.string() }) } },
  handler: ({ principal, body, note }, { tokens, environment }) => {
    const { name, rights, repositories, expires_in_days: days } = body;
    const expiresMs = nowMs(environment.clock) + days * DAY_MS;
    const { token, id } = tokens.create(principal, { name, rights, repositories, expiresMs });
    note({ token: id, name, rights: rights.join(' ') });
    const made = tokens.list(principal.account).find((each) => each.id === id);
    if (made === undefined) throw new CairnError('NOT_FOUND', 'the token was revoked as it was made');
    return { status: 201, body: { ...tokenJson(made), token } };
  },
});

const revoke = route({
  method: 'DELETE',
  path: '/api/v1/tokens/{token}',
  right: 'self',
  summary: 'Revoke one of your tokens',
  request: { params: z.strictObject({ token: z.string().max(64) }) },
  responses: { 204: { description: 'Revoked.' } },
  handler: ({ principal, params }, { tokens }) => {
    tokens.revoke(principal.account, params.token);
    return { status: 204 };
  },
});

export const TOKEN_ROUTES = [list, create, revoke] as const;
