import { silentLogger } from '@cairn/repo-server/serving';
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { panelConfigOf } from '../src/config/panel-file.ts';
import { startPanel } from '../src/server.ts';
import { NOBODY, PASSWORD, ScratchPanel, type Caller } from './support/scratch-panel.ts';

let panel: ScratchPanel | undefined;

afterEach(async () => {
  await panel?.remove();
  panel = undefined;
});

describe('addresses', () => {
  it('outside the list are refused, whatever they say of themselves', async () => {
    panel = await ScratchPanel.make({ toml: 'allow = ["192.0.2.0/24"]' });
    expect(await panel.ask(NOBODY, 'GET', '/api/v1/health')).toMatchObject({
      status: 403,
      json: { code: 'not-allowed' },
    });
    const lying = await panel.ask(NOBODY, 'GET', '/api/v1/health', { headers: { 'x-forwarded-for': '192.0.2.7' } });
    expect(lying.status).toBe(403);
  });

  it('are those that our own proxy says', async () => {
    panel = await ScratchPanel.make({ toml: 'allow = ["192.0.2.0/24"]\nproxies = ["127.0.0.1"]' });
    const ask = async (forwarded: string): Promise<number> =>
      (await panel?.ask(NOBODY, 'GET', '/api/v1/health', { headers: { 'x-forwarded-for': forwarded } }))?.status ?? 0;
    expect(await ask('192.0.2.7')).toBe(200);
    expect(await ask('203.0.113.9')).toBe(403);
    expect(await ask('192.0.2.7, 203.0.113.9')).toBe(403);
  });
});

describe('requests in a minute', () => {
  it('are bounded for each account, and more so for an address that is not logged in', async () => {
    panel = await ScratchPanel.make({ toml: 'requests-per-minute = 100' });
    const one = panel;
    const admin = await one.setUp();
    await one.openGate(admin);
    const statuses = async (who: Caller, path: string, count: number): Promise<number[]> =>
      await Promise.all(Array.from({ length: count }, async () => (await one.ask(who, 'GET', path)).status));
    const served = (all: readonly number[]): number => all.filter((status) => status === 200).length;
    one.wait(60_000);
    // Real time goes on meanwhile, and gives a few back.
    const asked = await statuses(admin, '/api/v1/session', 150);
    expect(served(asked)).toBeGreaterThanOrEqual(100);
    expect(served(asked)).toBeLessThan(120);
    const refused = await one.ask(admin, 'GET', '/api/v1/session');
    expect(refused).toMatchObject({ status: 429, json: { code: 'too-many-requests' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    // Whoever is not logged in, or guesses at tokens, has less, and takes nothing away from those who are.
    expect(served(await statuses(NOBODY, '/api/v1/health', 30))).toBeLessThanOrEqual(12);
    const guess = { headers: { authorization: `Bearer cairn_${'x'.repeat(43)}` } };
    expect((await one.ask(guess, 'GET', '/api/v1/session')).status).toBe(429);
    one.wait(60_000);
    expect((await one.ask(guess, 'GET', '/api/v1/session')).status).toBe(401);
    expect((await one.ask(admin, 'GET', '/api/v1/session')).status).toBe(200);
  });
});

describe('https', () => {
  it('makes cookies that only it sends', async () => {
    panel = await ScratchPanel.make({ toml: 'public-url = "https://panel.example.org"' });
    expect(panel.panel.setup?.url).toMatch(/^https:\/\/panel\.example\.org\/#\/setup\/cairn_[\w-]{43}$/);
    const body = { setup: panel.panel.setup?.secret, name: 'admin', password: PASSWORD };
    const answer = await panel.ask(NOBODY, 'POST', '/api/v1/setup', {
      body,
      headers: { origin: 'https://panel.example.org' },
    });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^__Host-cairn=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/,
    );
    expect(answer.headers.get('strict-transport-security')).toContain('max-age=');
  });
});

describe('the setup link', () => {
  it('expires, and a new start makes a new one while there is no account', async () => {
    panel = await ScratchPanel.make();
    const old = panel.panel.setup?.secret;
    panel.wait(61 * 60_000);
    const body = { name: 'admin', password: PASSWORD };
    expect((await panel.ask(NOBODY, 'POST', '/api/v1/setup', { body: { ...body, setup: old } })).status).toBe(401);
    await panel.stop();
    await panel.start();
    expect((await panel.ask(NOBODY, 'POST', '/api/v1/setup', { body: { ...body, setup: old } })).status).toBe(401);
    await panel.setUp();
    await panel.stop();
    await panel.start();
    expect(panel.panel.setup).toBeUndefined();
  });

  it('makes one account, also when two use it at once', async () => {
    panel = await ScratchPanel.make();
    const setup = panel.panel.setup?.secret;
    const { ask } = panel;
    const tries = ['one', 'two', 'three'].map((name) =>
      ask.call(panel, NOBODY, 'POST', '/api/v1/setup', { body: { setup, name, password: PASSWORD } }),
    );
    expect((await Promise.all(tries)).map(({ status }) => status).toSorted()).toEqual([201, 401, 401]);
  });
});

describe('a unix socket', () => {
  it('is for its owner and group, and one that a killed panel left is replaced', async () => {
    panel = await ScratchPanel.make();
    const path = join(panel.directory, 'panel.sock');
    // A dead one: the file of a socket that nobody listens at any more.
    const program = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', program]);
    expect(existsSync(path)).toBe(true);
    const config = panelConfigOf('panel.toml', panel.file, `unix:${path}`);
    const surroundings = { environment: panel.environment, logger: silentLogger, cairnCommand: ['cairn'] };
    const running = await startPanel(config, surroundings);
    expect(statSync(path).mode & 0o777).toBe(0o660);
    const status = await new Promise((resolve, reject) => {
      request({ socketPath: path, path: '/api/v1/health' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });
    expect(status).toBe(200);
    await expect(startPanel(config, surroundings)).rejects.toMatchObject({ code: 'USAGE' });
    const nowhere = panelConfigOf('panel.toml', panel.file, `unix:${join(panel.directory, 'none/panel.sock')}`);
    await expect(startPanel(nowhere, surroundings)).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining('directory of a socket') as string,
    });
    await running.close();
  });
});

describe('panel.toml', () => {
  it.each([
    ['an unknown name', 'color = "red"', 'color'],
    ['an address of the network without a proxy', 'listen = "0.0.0.0:80"', 'listen'],
    ['no address', 'listen = "nowhere"', 'listen'],
    ['a network that is none', 'allow = ["home"]', 'allow.0'],
    ['a relative path', 'state-directory = "state"', 'state-directory'],
    ['a repository without a key', '[[repositories]]\nname = "a"\naddress = "/a"', 'repositories.0.key-file'],
    ['what does not parse', 'listen = ', 'does not parse'],
  ])('%s is refused by name', (_, text, place) => {
    expect(() => panelConfigOf('/etc/cairn/panel.toml', text)).toThrow(place);
  });

  it('has defaults for everything', () => {
    expect(panelConfigOf('panel.toml', '')).toMatchObject({ listen: '127.0.0.1:8787', repositories: [], allow: [] });
  });
});
