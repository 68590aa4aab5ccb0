import { CairnError } from '@cairn/core';
import { z } from 'zod';

import type { Account } from '../accounts/accounts.ts';
import { assertPassword } from '../accounts/assert-password.ts';
import { ACCOUNT_NAME, NEW_PASSWORD, PASSWORD, RIGHT, ROLE, TIME } from '../accounts/schemas.ts';
import { forgeryToken } from '../accounts/sessions.ts';
import { isSecure, sessionCookie, sessionSecret } from '../http/identify.ts';
import { route, type Call } from '../http/route.ts';
import type { Principal } from '../rights/principal.ts';
import type { Services } from '../services.ts';
import { timeText } from '../state/time.ts';

const WHO = z.strictObject({
  name: z.string(),
  role: ROLE,
  rights: z.array(RIGHT),
  repositories: z.array(z.string()).nullable().describe('null: all'),
  paths: z.array(z.string()).nullable().describe('null: all'),
  via: z.enum(['session', 'token']),
  forgery_token: z.string().nullable().describe('to be sent as x-cairn-forgery beside the cookie; null with a token'),
});

function whoOf(principal: Principal, secret: string | undefined): z.input<typeof WHO> {
  return {
    name: principal.name,
    role: principal.role,
    rights: [...principal.rights],
    repositories: principal.repositories === undefined ? null : [...principal.repositories],
    paths: principal.ownPaths === undefined ? null : [...principal.ownPaths],
    via: principal.via,
    forgery_token: principal.via === 'session' && secret !== undefined ? forgeryToken(secret) : null,
  };
}

/** Begins a session for an account that has just proved itself. */
function begin(account: Account, { address, headers }: Call<unknown, unknown, unknown, undefined>, services: Services) {
  const secret = services.sessions.begin(account, address, headers.get('user-agent') ?? '');
  const principal = services.sessions.principal(secret);
  if (principal === undefined) throw new CairnError('LOGIN_REQUIRED', 'the session ended as it began');
  return { body: whoOf(principal, secret), headers: { 'set-cookie': sessionCookie(isSecure(services), secret) } };
}

const setupState = route({
  method: 'GET',
  path: '/api/v1/setup',
  right: 'public',
  gate: 'open',
  summary: 'Tell whether the first account is still to be made',
  responses: { 200: { description: 'Whether it is.', schema: z.strictObject({ needed: z.boolean() }) } },
  handler: (_, { accounts }) => ({ status: 200, body: { needed: accounts.isEmpty() } }),
});

const setup = route({
  method: 'POST',
  path: '/api/v1/setup',
  right: 'public',
  gate: 'open',
  summary: 'Make the first account, an admin, with the secret of the setup link, and log in',
  request: { body: z.strictObject({ setup: z.string().max(200), name: ACCOUNT_NAME, password: NEW_PASSWORD }) },
  responses: { 201: { description: 'Made; the cookie begins a session.', schema: WHO } },
  handler: async (call, services) => {
    const { accounts, setupLinks, lockOut } = services;
    const { setup: secret, name, password } = call.body;
    const account = await lockOut.attempt(call.address, undefined, async () => {
      setupLinks.assertOpen(secret);
      // Used within the transaction that makes the account: of two at once one comes too late.
      return await accounts.create({ name, role: 'admin' }, password, () => setupLinks.use(secret));
    });
    call.note({ name });
    return { status: 201, ...begin(account, call, services) };
  },
});

const login = route({
  method: 'POST',
  path: '/api/v1/session',
  right: 'public',
  gate: 'open',
  summary: 'Log in',
  request: { body: z.strictObject({ name: z.string().min(1).max(63), password: PASSWORD }) },
  responses: { 200: { description: 'Logged in; the cookie begins a session.', schema: WHO } },
  handler: async (call, services) => {
    const { name, password } = call.body;
    call.note({ name });
    const account = await services.lockOut.attempt(call.address, name, async () => {
      const verified = await services.accounts.verified(name, password);
      if (verified !== undefined) return verified;
      throw new CairnError('LOGIN_REQUIRED', 'name or password are wrong', {
        hint: 'After a few failures you have to wait. An admin can set another password.',
      });
    });
    return { status: 200, ...begin(account, call, services) };
  },
});

const current = route({
  method: 'GET',
  path: '/api/v1/session',
  right: 'self',
  gate: 'open',
  summary: 'Tell who is logged in, and what that account may do',
  responses: { 200: { description: 'Who it is.', schema: WHO } },
  handler: ({ principal, context }, services) => ({
    status: 200,
    body: whoOf(principal, sessionSecret(context, services)),
  }),
});

const logout = route({
  method: 'DELETE',
  path: '/api/v1/session',
  right: 'self',
  gate: 'open',
  only: 'session',
  summary: 'Log out',
  responses: { 204: { description: 'The session is over.' } },
  handler: ({ principal }, services) => {
    services.sessions.end(principal.account, principal.credential);
    return { status: 204, headers: { 'set-cookie': sessionCookie(isSecure(services), undefined) } };
  },
});

const SESSION = z.strictObject({
  id: z.string(),
  address: z.string(),
  agent: z.string(),
  created: TIME,
  seen: TIME,
  current: z.boolean(),
});

const sessions = route({
  method: 'GET',
  path: '/api/v1/sessions',
  right: 'self',
  summary: 'List your sessions',
  responses: { 200: { description: 'The newest first.', schema: z.array(SESSION) } },
  handler: ({ principal }, services) => ({
    status: 200,
    body: services.sessions.list(principal.account).map(({ id, address, agent, createdMs, seenMs }) => ({
      id,
      address,
      agent,
      created: timeText(createdMs),
      seen: timeText(seenMs),
      current: id === principal.credential,
    })),
  }),
});

const endSession = route({
  method: 'DELETE',
  path: '/api/v1/sessions/{session}',
  right: 'self',
  summary: 'End one of your sessions',
  request: { params: z.strictObject({ session: z.string().max(64) }) },
  responses: { 204: { description: 'It is over.' } },
  handler: ({ principal, params }, services) => {
    if (services.sessions.end(principal.account, params.session)) return { status: 204 };
    throw new CairnError('NOT_FOUND', 'there is no such session');
  },
});

const password = route({
  method: 'PUT',
  path: '/api/v1/password',
  right: 'self',
  only: 'session',
  summary: 'Change your password; your other sessions end',
  request: { body: z.strictObject({ password: PASSWORD, new_password: NEW_PASSWORD }) },
  responses: { 204: { description: 'Changed.' } },
  handler: async (call, services) => {
    const { principal, body } = call;
    const account = await assertPassword(call, body.password, services);
    await services.accounts.changePassword(account, body.new_password, principal.credential);
    return { status: 204 };
  },
});

export const SESSION_ROUTES = [setupState, setup, login, current, logout, sessions, endSession, password] as const;
