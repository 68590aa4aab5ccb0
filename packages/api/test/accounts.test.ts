import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { NOBODY, PASSWORD, ScratchPanel, type Answer, type Visitor } from './support/scratch-panel.ts';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

let panel: ScratchPanel;
let admin: Visitor;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

function tryLogin(name: string, password: string): Promise<Answer> {
  return panel.ask(NOBODY, 'POST', '/api/v1/session', { body: { name, password } });
}

/** What the same answer to everybody means: nothing in it but the time differs. */
function told({ status, text }: Answer): unknown {
  return { status, text };
}

describe('logging in', () => {
  it('answers an unknown name and a wrong password alike, and takes as long', async () => {
    await panel.account(admin, 'viewer');
    const times = { known: 0, unknown: 0 };
    for (let i = 0; i < 4; i++) {
      for (const [kind, name] of [
        ['known', 'admin'],
        ['unknown', `nobody-${i}`],
      ] as const) {
        const from = performance.now();
        const answer = await tryLogin(name, 'wrong password');
        times[kind] += performance.now() - from;
        expect(answer).toMatchObject({ status: 401, json: { code: 'login-required' } });
        expect(answer.headers.get('set-cookie')).toBeNull();
      }
    }
    expect(told(await tryLogin('admin', 'wrong'))).toEqual(told(await tryLogin('nobody', 'wrong')));
    // An account that is not there costs a hash too: without it the answer would come within a millisecond.
    expect(times.unknown).toBeGreaterThan(times.known / 3);
    panel.wait(DAY + MINUTE);
    admin = await panel.login('admin');
  });

  it('has an account wait after five failures, whether there is such an account or not', async () => {
    for (const name of ['admin', 'ghost']) {
      for (let i = 0; i < 5; i++) expect((await tryLogin(name, `wrong ${i}`)).status).toBe(401);
      const refused = await tryLogin(name, PASSWORD);
      expect(refused).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    panel.wait(2 * MINUTE);
    expect((await tryLogin('admin', PASSWORD)).status).toBe(200);
    panel.wait(DAY + MINUTE);
  });

  it('counts attempts that come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, (_, i) => tryLogin('admin', `guess ${i}`)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(25);
    panel.wait(DAY + MINUTE);
  });

  it('lets many log in at once who know the password', async () => {
    const answers = await Promise.all(Array.from({ length: 24 }, () => tryLogin('admin', PASSWORD)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    admin = await panel.login('admin');
  });

  it('has an address wait that guesses at many accounts', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 25; i++) statuses.push((await tryLogin(`guessed-${i}`, 'wrong')).status);
    expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
    expect(statuses.slice(20)).toEqual(Array.from({ length: 5 }, () => 429));
    panel.wait(DAY + MINUTE);
    admin = await panel.login('admin');
  });

  it('gives a cookie that scripts and other sites cannot use', async () => {
    const cookie = (await tryLogin('admin', PASSWORD)).headers.get('set-cookie');
    expect(cookie).toMatch(/^cairn=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  });
});

describe('a session', () => {
  it('ends at logout, when it was idle, after a day’s work, and when the password changes', async () => {
    const alive = async (visitor: Visitor): Promise<boolean> =>
      (await panel.ask(visitor, 'GET', '/api/v1/session')).status === 200;
    const first = await panel.login('admin');
    await panel.good(first, 'DELETE', '/api/v1/session');
    expect(await alive(first)).toBe(false);

    const idle = await panel.login('admin');
    panel.wait(61 * MINUTE);
    expect(await alive(idle)).toBe(false);

    const busy = await panel.login('admin');
    for (let i = 0; i < 15; i++) {
      expect(await alive(busy)).toBe(true);
      panel.wait(50 * MINUTE);
    }
    expect(await alive(busy)).toBe(false);

    admin = await panel.login('admin');
    const other = await panel.login('admin');
    const body = { password: PASSWORD, new_password: 'another fine password' };
    await panel.good(admin, 'PUT', '/api/v1/password', { body });
    expect([await alive(admin), await alive(other)]).toEqual([true, false]);
    await panel.good(admin, 'PUT', '/api/v1/password', {
      body: { password: body.new_password, new_password: PASSWORD },
    });
  });

  it('is listed and ended by its account alone', async () => {
    const viewer = await panel.account(admin, 'viewer');
    const [mine] = await panel.good<{ id: string }[]>(viewer, 'GET', '/api/v1/sessions');
    const foreign = await panel.ask(admin, 'DELETE', `/api/v1/sessions/${mine?.id}`);
    expect(foreign).toMatchObject({ status: 404, json: { code: 'not-found' } });
    await panel.good(viewer, 'DELETE', `/api/v1/sessions/${mine?.id}`);
    expect((await panel.ask(viewer, 'GET', '/api/v1/session')).status).toBe(401);
  });

  it('is refused what another site may have sent', async () => {
    const { cookie, headers } = admin;
    const body = { name: 't', rights: ['self'] };
    const make = (sent: Record<string, string>): Promise<Answer> =>
      panel.ask({ headers: sent }, 'POST', '/api/v1/tokens', { body });
    for (const forged of [
      { cookie },
      { cookie, 'x-cairn-forgery': 'x'.repeat(43) },
      { ...headers, origin: 'https://evil.example' },
      { ...headers, origin: 'null' },
      { ...headers, 'sec-fetch-site': 'cross-site' },
      { ...headers, 'sec-fetch-site': 'same-site' },
    ]) {
      expect(await make(forged), JSON.stringify(forged)).toMatchObject({
        status: 403,
        json: { details: { reason: 'forged' } },
      });
    }
    expect((await make({ ...headers, origin: panel.panel.address, 'sec-fetch-site': 'same-origin' })).status).toBe(201);
    // Logging somebody in as somebody else is an attack too.
    const login = { name: 'admin', password: PASSWORD };
    const foreign = await panel.ask({ headers: { origin: 'https://evil.example' } }, 'POST', '/api/v1/session', {
      body: login,
    });
    expect(foreign.status).toBe(403);
  });
});

describe('a token', () => {
  it('is shown once, hashed at rest, expires and can be revoked', async () => {
    const body = { name: 'monitor', rights: ['archives:read', 'self'], expires_in_days: 2 };
    const made = await panel.good<{ token: string; id: string }>(admin, 'POST', '/api/v1/tokens', { body });
    const caller = { headers: { authorization: `Bearer ${made.token}` } };
    expect((await panel.ask(caller, 'GET', '/api/v1/repositories')).status).toBe(200);
    const listed = await panel.ask(admin, 'GET', '/api/v1/tokens');
    expect(listed.text).not.toContain(made.token);
    expect(listed.json).toMatchObject([{ id: made.id, name: 'monitor', rights: ['self', 'archives:read'] }, {}]);
    panel.wait(2 * DAY + MINUTE);
    expect((await panel.ask(caller, 'GET', '/api/v1/repositories')).status).toBe(401);
    admin = await panel.login('admin');
    const next = await panel.token(admin, ['archives:read']);
    const [{ id } = { id: '' }] = await panel.good<{ id: string }[]>(admin, 'GET', '/api/v1/tokens');
    await panel.good(admin, 'DELETE', `/api/v1/tokens/${id}`);
    expect((await panel.ask(next, 'GET', '/api/v1/repositories')).status).toBe(401);
  });

  it('never has more than its account, also when the account has less than it had', async () => {
    const viewer = await panel.account(admin, 'viewer');
    const refused = await panel.ask(viewer, 'POST', '/api/v1/tokens', { body: { name: 't', rights: ['keys:export'] } });
    expect(refused).toMatchObject({ status: 403, json: { code: 'not-allowed' } });

    const second = await panel.account(admin, 'admin');
    const token = await panel.token(second, ['audit:read', 'archives:read']);
    expect((await panel.ask(token, 'GET', '/api/v1/audit')).status).toBe(200);
    const { name } = await panel.good<{ name: string }>(second, 'GET', '/api/v1/session');
    await panel.good(admin, 'PATCH', `/api/v1/accounts/${name}`, { body: { role: 'viewer' } });
    expect((await panel.ask(token, 'GET', '/api/v1/audit')).status).toBe(403);
    expect((await panel.ask(token, 'GET', '/api/v1/repositories')).status).toBe(200);
    await panel.good(admin, 'PATCH', `/api/v1/accounts/${name}`, { body: { disabled: true } });
    expect((await panel.ask(token, 'GET', '/api/v1/repositories')).status).toBe(401);
    expect((await panel.ask(second, 'GET', '/api/v1/session')).status).toBe(401);
  });

  it('is nobody else’s to see or revoke', async () => {
    const viewer = await panel.account(admin, 'viewer');
    const token = await panel.token(viewer, ['self']);
    const [mine] = await panel.good<{ id: string }[]>(viewer, 'GET', '/api/v1/tokens');
    const other = await panel.account(admin, 'operator');
    expect((await panel.ask(other, 'DELETE', `/api/v1/tokens/${mine?.id}`)).status).toBe(404);
    expect(await panel.good(other, 'GET', '/api/v1/tokens')).toEqual([]);
    expect((await panel.ask(token, 'GET', '/api/v1/session')).status).toBe(200);
    // A stolen token makes no other, changes no password, and shows no key.
    const stolen = await panel.token(admin, ['self', 'keys:export', 'accounts:manage']);
    const reveal = '/api/v1/repositories/main/recovery-key/reveal';
    for (const [who, method, path, body] of [
      [token, 'POST', '/api/v1/tokens', { name: 't', rights: ['self'] }],
      [token, 'PUT', '/api/v1/password', { password: PASSWORD, new_password: 'another fine password' }],
      [stolen, 'PUT', '/api/v1/accounts/admin/password', { new_password: 'another fine password' }],
      [stolen, 'POST', reveal, { password: 'not the password' }],
    ] as const) {
      expect(await panel.ask(who, method, path, { body })).toMatchObject({
        status: 403,
        json: { code: 'not-allowed' },
      });
    }
  });

  it('that manages accounts makes none with more rights than it has', async () => {
    const token = await panel.token(admin, ['accounts:manage', 'self']);
    const body = { name: 'risen', password: PASSWORD, role: 'admin' };
    expect((await panel.ask(token, 'POST', '/api/v1/accounts', { body })).status).toBe(403);
    const viewer = await panel.account(admin, 'viewer');
    const { name } = await panel.good<{ name: string }>(viewer, 'GET', '/api/v1/session');
    expect((await panel.ask(token, 'PATCH', `/api/v1/accounts/${name}`, { body: { role: 'admin' } })).status).toBe(403);
  });
});

describe('an admin who is bound to a repository', () => {
  it('comes by no other: not by an account of more, not by its password, not by being changed', async () => {
    const bound = await panel.account(admin, 'admin', { repositories: ['other'] });
    const { name } = await panel.good<{ name: string }>(bound, 'GET', '/api/v1/session');
    const free = await panel.account(admin, 'viewer');
    const { name: viewer } = await panel.good<{ name: string }>(free, 'GET', '/api/v1/session');
    const account = { name: 'risen', password: PASSWORD, role: 'admin' };
    const one = `/api/v1/accounts/${name}`;
    for (const [method, path, body] of [
      ['POST', '/api/v1/accounts', account],
      ['POST', '/api/v1/accounts', { ...account, repositories: ['other', 'main'] }],
      ['PATCH', one, { repositories: null }],
      ['PATCH', one, { repositories: ['main'] }],
      ['PATCH', `/api/v1/accounts/${viewer}`, { role: 'operator' }],
      ['PUT', '/api/v1/accounts/admin/password', { new_password: 'another fine password' }],
      ['DELETE', '/api/v1/accounts/admin', undefined],
    ] as const) {
      const answer = await panel.ask(bound, method, path, { body });
      expect([method, path, answer.status, answer.json['code']]).toEqual([method, path, 403, 'not-allowed']);
    }
    await panel.good(bound, 'POST', '/api/v1/accounts', { body: { ...account, repositories: ['other'] } });
    await panel.good(bound, 'DELETE', '/api/v1/accounts/risen');
    expect((await panel.ask(admin, 'GET', '/api/v1/session')).status).toBe(200);
  });
});

describe('accounts', () => {
  it('are made once, also when two ask at the same time', async () => {
    const body = { name: 'twin', password: PASSWORD, role: 'viewer' };
    const answers = await Promise.all([1, 2, 3].map(() => panel.ask(admin, 'POST', '/api/v1/accounts', { body })));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409]);
  });

  it('always leave one admin', async () => {
    const others = await panel.good<{ name: string; role: string }[]>(admin, 'GET', '/api/v1/accounts');
    for (const { name, role } of others) {
      if (role === 'admin' && name !== 'admin') await panel.good(admin, 'DELETE', `/api/v1/accounts/${name}`);
    }
    for (const [method, body] of [
      ['DELETE', undefined],
      ['PATCH', { role: 'viewer' }],
      ['PATCH', { disabled: true }],
    ] as const) {
      const answer = await panel.ask(admin, method, '/api/v1/accounts/admin', { body });
      expect(answer).toMatchObject({ status: 409, json: { code: 'conflict' } });
    }
    expect((await panel.ask(admin, 'GET', '/api/v1/session')).status).toBe(200);
  });

  it('of restore-own-paths need paths', async () => {
    const body = { name: 'ada', password: PASSWORD, role: 'restore-own-paths' };
    expect((await panel.ask(admin, 'POST', '/api/v1/accounts', { body })).status).toBe(400);
    for (const paths of [['home/ada'], ['/home/../etc'], ['/home/ada/']]) {
      expect((await panel.ask(admin, 'POST', '/api/v1/accounts', { body: { ...body, paths } })).status).toBe(400);
    }
  });
});

describe('the audit trail', () => {
  it('says who did what, from where, and how it ended, and has no secret in it', async () => {
    const viewer = await panel.account(admin, 'viewer');
    await panel.ask(viewer, 'POST', '/api/v1/accounts', { body: { name: 'x', password: PASSWORD, role: 'admin' } });
    await tryLogin('admin', 'a wrong password');
    const { text, json } = await panel.ask<Record<string, unknown>[]>(admin, 'GET', '/api/v1/audit?limit=3');
    expect(json).toMatchObject([
      { account: null, act: 'POST /api/v1/session', status: 401, code: 'login-required', facts: { name: 'admin' } },
      { act: 'POST /api/v1/accounts', status: 403, code: 'not-allowed', address: '127.0.0.1' },
      { account: null, act: 'POST /api/v1/session', status: 200 },
    ]);
    expect(text).not.toContain('wrong password');
    expect(text).not.toContain(PASSWORD);
    panel.wait(401 * DAY);
    admin = await panel.login('admin');
    expect(await panel.good(admin, 'GET', '/api/v1/audit?limit=1000')).toHaveLength(1);
  });

  it('is read page by page', async () => {
    await panel.account(admin, 'viewer');
    const json = await panel.good<{ id: number }[]>(admin, 'GET', '/api/v1/audit?limit=3');
    const older = await panel.good<{ id: number }[]>(
      admin,
      'GET',
      `/api/v1/audit?limit=2&before=${String(json[0]?.id)}`,
    );
    expect(older.every(({ id }) => id < Number(json[0]?.id))).toBe(true);
  });
});
