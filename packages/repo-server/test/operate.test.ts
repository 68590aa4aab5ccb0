import { openHttpStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { request } from 'node:http';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { RunningServer } from '../dist/server.js';
import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';

describe('an administrator', () => {
  let place: ServerPlace;
  let server: RunningServer;
  let forger: Forger;
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    place = await ServerPlace.create({ top: '[scrub]\nrate = "1 GB"', repository: 'quota = "1 GB"\nreserve = "1 MB"' });
    forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    server = await place.start();
    for (const role of ['append', 'monitor', 'maintain'] as const) tokens[role] = await place.token(role, role);
    const store = openHttpStore({ address: server.address, token: tokens['append'] ?? '' });
    const { key, body } = forger.object('packs');
    await store.put(key, body);
    const { seq, object } = await forger.next('COMMIT');
    await store.put({ kind: 'log', name: logName(seq) }, object);
    await store[Symbol.asyncDispose]();
  });
  afterAll(async () => await place[Symbol.asyncDispose]());

  /** By HTTP/1.1, as Prometheus and curl do. */
  function get(path: string, token?: string): Promise<{ status: number; text: string }> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      const sent = request(`${server.address}${path}`, { headers, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      });
      sent.on('error', reject).end();
    });
  }

  it('asks for the health of the server without a credential', async () => {
    expect(await get('/healthz')).toEqual({ status: 200, text: '{"status":"ok"}' });
  });

  it('reads metrics with the role monitor, and with no other', async () => {
    expect((await get('/metrics')).status).toBe(401);
    expect((await get('/metrics', tokens['append'])).status).toBe(403);
    const { status, text } = await get('/metrics', tokens['monitor']);
    expect(status).toBe(200);
    const value = (line: string): number => {
      const found = text.split('\n').find((one) => one.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1));
    };
    expect(value('cairn_log_entries{repository="main"}')).toBe(4);
    expect(value('cairn_archives{repository="main",state="live"}')).toBe(2);
    expect(value('cairn_quota_bytes{repository="main"}')).toBe(1e9);
    expect(value('cairn_client_bytes{repository="main",client="append"}')).toBe(500);
    const age = place.clock.nowMs / 1000 - value('cairn_client_last_commit_seconds{repository="main",client="append"}');
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60);
    // Each metric has its help and type once, and before its values (Prometheus' text format, version 0.0.4).
    const names = [...text.matchAll(/^# TYPE (\w+) (?:gauge|counter)$/gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
      expect(line).toMatch(/^\w+(?:\{\w+="[^"\n]*"(?:,\w+="[^"\n]*")*\})? [\d.e+-]+$/);
    }
  });

  it('sees sizes, the quota and who committed last in the status; a client sees itself alone', async () => {
    const all = JSON.parse((await get('/v1/status', tokens['monitor'])).text) as Record<string, unknown>;
    expect(all).toMatchObject({
      repository: 'main',
      log_entries: 4,
      quota_bytes: 1e9,
      archives: { live: 2, deleted: 0 },
    });
    expect(all['clients']).toEqual([expect.objectContaining({ client: 'append', bytes: 500, commits: 1 })]);
    const own = JSON.parse((await get('/v1/status', tokens['append'])).text) as Record<string, unknown>;
    expect(own['clients']).toHaveLength(1);
  });

  it('reads a log of JSON lines that holds no credential', () => {
    for (const line of place.log)
      expect(JSON.parse(line)).toMatchObject({ time: expect.any(String), level: expect.any(String) });
    for (const token of Object.values(tokens)) expect(place.log.join('')).not.toContain(token.slice(6));
  });

  it('hears of a damaged object from the scrub in the background', async () => {
    const other = await ServerPlace.create({ top: '[scrub]\nrate = "1 GB"' });
    const damaged = await Forger.create(other.repositoryPath);
    await damaged.populate();
    writeFileSync(`${other.repositoryPath}/packs/${damaged.pack.slice(0, 2)}/${damaged.pack}`, 'not what it was');
    await other.start();
    const told = (): string[] => other.log.filter((line) => line.includes('"a damaged object"'));
    await expect.poll(told, { timeout: 10_000 }).toEqual([expect.stringContaining(`packs/${damaged.pack}`)]);
    await other[Symbol.asyncDispose]();
  });

  it('goes on with a scrub that an earlier process began, and notes its end', async () => {
    const other = await ServerPlace.create({ top: '[scrub]\nrate = "1 GB"' });
    await (await Forger.create(other.repositoryPath)).populate();
    const state = other.path('state', 'repositories', 'main');
    mkdirSync(state, { recursive: true });
    const begun = { kind: 'index', name: 'f'.repeat(64), objects: 70, bytes: 7_000, bad: [] };
    writeFileSync(`${state}/scrub.json.begun`, JSON.stringify(begun));
    await other.start();
    const ended = (): string[] => other.log.filter((line) => line.includes('"scrub ended"'));
    await expect.poll(ended, { timeout: 10_000 }).toEqual([expect.stringContaining('"objects":70')]);
    expect(readdirSync(state).filter((name) => name.startsWith('scrub'))).toEqual(['scrub.json']);
    await other[Symbol.asyncDispose]();
  });
});
