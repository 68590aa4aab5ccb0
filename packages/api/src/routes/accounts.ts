import { CairnError } from '@cairn/core';
import { z } from 'zod';

import type { Account } from '../accounts/accounts.ts';
import { ACCOUNT_NAME, NEW_PASSWORD, OWN_PATHS, REPOSITORIES, ROLE, TIME } from '../accounts/schemas.ts';
import { route } from '../http/route.ts';
import { mayUseRepository, type Principal } from '../rights/principal.ts';
import { rightsOf, type Role } from '../rights/table.ts';
import { timeText } from '../state/time.ts';
import { TOKEN, tokenJson } from './tokens.ts';

const ACCOUNT = z.strictObject({
  name: z.string(),
  role: ROLE,
  repositories: z.array(z.string()).nullable().describe('null: all'),
  paths: z.array(z.string()).nullable().describe('of restore-own-paths: what is its own in archives'),
  disabled: z.boolean(),
  created: TIME,
  password_set: TIME,
});

const PARAMS = z.strictObject({ account: z.string().min(1).max(63) });

function accountJson(account: Account): z.input<typeof ACCOUNT> {
  return {
    name: account.name,
    role: account.role,
    repositories: account.repositories === undefined ? null : [...account.repositories],
    paths: account.paths === undefined ? null : [...account.paths],
    disabled: account.disabled,
    created: timeText(account.createdMs),
    password_set: timeText(account.passwordMs),
  };
}

const list = route({
  method: 'GET',
  path: '/api/v1/accounts',
  right: 'accounts:manage',
  summary: 'List accounts',
  responses: { 200: { description: 'By name.', schema: z.array(ACCOUNT) } },
  handler: (_, { accounts }) => ({ status: 200, body: accounts.list().map(accountJson) }),
});

const create = route({
  method: 'POST',
  path: '/api/v1/accounts',
  right: 'accounts:manage',
  summary: 'Make an account',
  request: {
    body: z.strictObject({
      name: ACCOUNT_NAME,
      password: NEW_PASSWORD,
      role: ROLE,
      repositories: REPOSITORIES.optional(),
      paths: OWN_PATHS.optional(),
    }),
  },
  responses: { 201: { description: 'Made.', schema: ACCOUNT } },
  handler: async ({ principal, body, note }, { accounts }) => {
    const { password, ...facts } = body;
    assertPaths(facts.role, facts.paths);
    assertNotMore(principal, facts);
    note({ name: facts.name, role: facts.role });
    return { status: 201, body: accountJson(await accounts.create(facts, password)) };
  },
});

const get = route({
  method: 'GET',
  path: '/api/v1/accounts/{account}',
  right: 'accounts:manage',
  summary: 'Show an account',
  request: { params: PARAMS },
  responses: { 200: { description: 'The account.', schema: ACCOUNT } },
  handler: ({ params }, { accounts }) => ({ status: 200, body: accountJson(accounts.get(params.account)) }),
});

const change = route({
  method: 'PATCH',
  path: '/api/v1/accounts/{account}',
  right: 'accounts:manage',
  summary: 'Change role, bounds, or whether an account is disabled; null takes a bound away',
  request: {
    params: PARAMS,
    body: z.strictObject({
      role: ROLE.optional(),
      repositories: REPOSITORIES.nullable().optional(),
      paths: OWN_PATHS.nullable().optional(),
      disabled: z.boolean().optional(),
    }),
  },
  responses: { 200: { description: 'As it is now.', schema: ACCOUNT } },
  handler: ({ principal, params, body, note }, { accounts }) => {
    const before = accounts.get(params.account);
    const { role = before.role, repositories = before.repositories, paths = before.paths } = body;
    assertNotMore(principal, before);
    assertNotMore(principal, { role, repositories: repositories ?? undefined });
    assertPaths(role, paths ?? undefined);
    note({ changed: Object.keys(body).join(' '), ...(body.role === undefined ? {} : { role: body.role }) });
    return { status: 200, body: accountJson(accounts.change(params.account, body)) };
  },
});

const remove = route({
  method: 'DELETE',
  path: '/api/v1/accounts/{account}',
  right: 'accounts:manage',
  summary: 'Remove an account with its sessions and tokens',
  request: { params: PARAMS },
  responses: { 204: { description: 'Removed.' } },
  handler: ({ principal, params }, { accounts }) => {
    assertNotMore(principal, accounts.get(params.account));
    accounts.remove(params.account);
    return { status: 204 };
  },
});

const setPassword = route({
  method: 'PUT',
  path: '/api/v1/accounts/{account}/password',
  right: 'accounts:manage',
  only: 'session',
  summary: 'Set the password of an account; its sessions end',
  request: { params: PARAMS, body: z.strictObject({ new_password: NEW_PASSWORD }) },
  responses: { 204: { description: 'Set.' } },
  handler: async ({ principal, params, body }, { accounts }) => {
    assertNotMore(principal, accounts.get(params.account));
    await accounts.setPassword(params.account, body.new_password);
    return { status: 204 };
  },
});

const tokens = route({
  method: 'GET',
  path: '/api/v1/accounts/{account}/tokens',
  right: 'accounts:manage',
  summary: 'List the tokens of an account',
  request: { params: PARAMS },
  responses: { 200: { description: 'The newest first.', schema: z.array(TOKEN) } },
  handler: ({ params }, services) => {
    const { id } = services.accounts.get(params.account);
    return { status: 200, body: services.tokens.list(id).map(tokenJson) };
  },
});

const revokeToken = route({
  method: 'DELETE',
  path: '/api/v1/accounts/{account}/tokens/{token}',
  right: 'accounts:manage',
  summary: 'Revoke a token of an account',
  request: { params: PARAMS.extend({ token: z.string().max(64) }) },
  responses: { 204: { description: 'Revoked.' } },
  handler: ({ params }, services) => {
    services.tokens.revoke(services.accounts.get(params.account).id, params.token);
    return { status: 204 };
  },
});

/** An account that may see its own paths only must have some. */
function assertPaths(role: Account['role'], paths: readonly string[] | undefined): void {
  if (role !== 'restore-own-paths' || (paths !== undefined && paths.length > 0)) return;
  throw new CairnError('USAGE', 'an account of the role restore-own-paths needs `paths`', {
    hint: 'Name what is its own, as in ["/home/ada"].',
  });
}

/**
 * Whoever manages accounts with a token that has less, or is bound to some repositories, must not come by more: neither by an account with
 * more, nor by the password of one.
 */
function assertNotMore(
  principal: Principal,
  { role, repositories }: { readonly role: Role; readonly repositories?: readonly string[] | undefined },
): void {
  const excess = rightsOf(role).find((right) => !principal.rights.has(right));
  if (excess !== undefined) throw more(`the right ${excess}`);
  if (principal.repositories === undefined) return;
  if (repositories === undefined) throw more('all repositories');
  const foreign = repositories.find((name) => !mayUseRepository(principal, name));
  if (foreign !== undefined) throw more(`the repository ${foreign}`);
}

function more(what: string): CairnError {
  return new CairnError('NOT_ALLOWED', `that account has, or would have, what you have not: ${what}`, {
    hint: 'Log in as an admin who is bound to no repository.',
  });
}

export const ACCOUNT_ROUTES = [list, create, get, change, remove, setPassword, tokens, revokeToken] as const;
