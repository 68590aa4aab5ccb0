import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';

import { ApiError, createClient } from '../src/client/client.ts';
import { PASSWORD, ScratchPanel, type Visitor } from './support/scratch-panel.ts';

let panel: ScratchPanel;
let admin: Visitor;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

describe('the typed client', () => {
  it('calls routes with a token, and knows what they take and give', async () => {
    const { headers } = await panel.token(admin, ['accounts:manage', 'archives:read', 'audit:read', 'self']);
    const token = headers['authorization']?.replace('Bearer ', '') ?? '';
    const client = createClient({ baseUrl: panel.panel.address, token });
    const repositories = await client.call('GET', '/api/v1/repositories', {});
    expectTypeOf(repositories).toEqualTypeOf<{ name: string; address: string }[]>();
    expect(repositories.map(({ name }) => name)).toEqual(['main']);

    const audit = await client.call('GET', '/api/v1/audit', { query: { limit: '2' } });
    expect(audit).toHaveLength(2);
    const account = await client.call('GET', '/api/v1/accounts/{account}', { params: { account: 'admin' } });
    expectTypeOf(account.role).toEqualTypeOf<'admin' | 'operator' | 'viewer' | 'restore-own-paths'>();

    const nowhere = '/api/v1/nothing' as '/api/v1/health';
    await expect(client.call('GET', nowhere, {})).rejects.toMatchObject({ code: 'not-found' });
  });

  it('rejects with the problem that the panel answered', async () => {
    const client = createClient({ baseUrl: panel.panel.address });
    const login = client.call('POST', '/api/v1/session', { body: { name: 'admin', password: 'wrong password' } });
    await expect(login).rejects.toBeInstanceOf(ApiError);
    await expect(login).rejects.toMatchObject({ code: 'login-required', problem: { status: 401 } });
  });

  it('is what a page uses too, with the cookie that the browser keeps', async () => {
    const page: { cookie: string; forgery?: string | undefined } = { cookie: '' };
    const client = createClient({
      baseUrl: panel.panel.address,
      forgeryToken: () => page.forgery,
      fetch: async (input, init) => {
        const response = await fetch(input, {
          ...init,
          headers: { ...(init?.headers as Record<string, string>), cookie: page.cookie },
        });
        page.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? page.cookie;
        return response;
      },
    });
    const who = await client.call('POST', '/api/v1/session', { body: { name: 'admin', password: PASSWORD } });
    page.forgery = who.forgery_token ?? undefined;
    const made = await client.call('POST', '/api/v1/tokens', { body: { name: 'page', rights: ['self'] } });
    expect(made.token).toMatch(/^cairn_/);
    expect(await client.call('DELETE', '/api/v1/tokens/{token}', { params: { token: made.id } })).toBeUndefined();
  });
});
