import { openHttpStore, Repository, systemEnvironment, type Capabilities, type ObjectStore } from '@cairn/core';
import { logName, type Decision, type ObjectKey } from '@cairn/core/server';
import { createHash, randomBytes } from 'node:crypto';
import { connect as connectHttp2 } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { RunningServer } from '../dist/server.js';
import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { Forger } from './support/forger.ts';
import { statusOf } from './support/http2.ts';
import { ServerPlace } from './support/place.ts';

const PACKS_QUOTA = 4_000_000;
const NONE: readonly string[] = [];

/**
 * Whoever broke into a machine that backs up has its credential, role append, and, to be on the safe side, every key there is. What
 * they try is here, in the order of the file; after all of it every archive that was committed restores.
 */
describe('a hostile client with the append credential and every key', () => {
  let place: ServerPlace;
  let server: RunningServer;
  let token: string;
  let hostile: ObjectStore;
  let reader: ObjectStore;
  let keys: Capabilities;
  let forger: Forger;
  const archives: { id: string; directory: string }[] = [];
  let goodPacks: readonly string[];

  beforeAll(async () => {
    place = await ServerPlace.create({ floors: 'grace = "7d"\nkept-archives = 2' });
    server = await place.start();
    const { address } = server;
    const store = async (name: string, role: 'maintain' | 'read'): Promise<ObjectStore> =>
      openHttpStore({ address, token: await place.token(name, role) });
    keys = await makeRepository(await store('admin', 'maintain'));
    const good = openHttpStore({ address, token: await place.token('good', 'append') });
    for (const number of [1, 2, 3]) {
      const directory = place.path(`source-${number}`);
      writeFiles(directory, 3, 200_000);
      archives.push({ id: (await backUp(good, keys, directory)).id, directory });
    }
    token = await place.token('hostile', 'append', { quotaBytes: PACKS_QUOTA, entriesPerDay: 60 });
    hostile = openHttpStore({ address, token });
    reader = await store('reader', 'read');
    forger = await Forger.create(place.repositoryPath, keys.log);
    goodPacks = await packs();
  });

  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  const put = async (decision: Decision, more: { seq?: number; previous?: Buffer } = {}): Promise<void> => {
    const { seq, object } = await forger.entry(decision, more);
    await hostile.put({ kind: 'log', name: logName(seq) }, object);
  };
  const packs = async (): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of reader.list('packs')) names.push(name);
    return names;
  };

  it('cannot delete anything', async () => {
    const [pack = ''] = await packs();
    const victims: ObjectKey[] = [
      { kind: 'packs', name: pack },
      { kind: 'log', name: logName(1) },
      { kind: 'config', name: 'config' },
    ];
    for await (const { name } of reader.list('index')) victims.push({ kind: 'index', name });
    for (const key of victims) {
      await expect(hostile.delete(key)).rejects.toMatchObject({ code: 'STORE_DENIED' });
      await reader.get(key);
    }
  });

  it('cannot overwrite anything, nor put bytes under a name that is not theirs', async () => {
    const [pack = ''] = await packs();
    const before = await reader.get({ kind: 'packs', name: pack });
    await expect(hostile.put({ kind: 'packs', name: pack }, randomBytes(100))).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    });
    await expect(hostile.put({ kind: 'packs', name: '0'.repeat(64) }, randomBytes(100))).rejects.toThrow(
      /another SHA-256/,
    );
    await expect(hostile.put({ kind: 'log', name: logName(1) }, randomBytes(100))).rejects.toMatchObject({
      code: 'OBJECT_EXISTS',
    });
    await expect(hostile.put({ kind: 'config', name: 'config' }, randomBytes(100))).rejects.toMatchObject({
      code: 'STORE_DENIED',
    });
    expect(Buffer.compare(await reader.get({ kind: 'packs', name: pack }), before)).toBe(0);
  });

  it('cannot decide what only a maintainer may', async () => {
    const ids = archives.map(({ id }) => id);
    const names = await packs();
    // What breaks no rule of the log is refused for its role, before any floor is asked.
    const good: Decision[] = [
      { kind: 'DELETE', archives: ids.slice(0, 1) },
      { kind: 'ANNOTATE', archives: ids, protect: false },
      { kind: 'CONDEMN', dropped: NONE, packs: names.slice(0, 1), segments: NONE },
      { kind: 'PIN', pin: randomBytes(16).toString('hex'), archives: ids, until: systemEnvironment.clock.nowNs() },
    ];
    for (const decision of good) {
      const error = { code: 'STORE_DENIED', message: expect.stringContaining('its role is append') };
      await expect(put(decision)).rejects.toMatchObject(error);
    }
    const bad: Decision[] = [
      { kind: 'CONDEMN', dropped: ids, packs: NONE, segments: NONE },
      { kind: 'SWEEP', packs: names, segments: NONE },
    ];
    for (const decision of bad) await expect(put(decision)).rejects.toMatchObject({ code: 'STORE_DENIED' });
  });

  it('cannot fork the log, replay an entry, leave a gap, or use an archive id twice', async () => {
    const { seq } = await forger.next('INDEX');
    const index: Decision = { kind: 'INDEX', segments: NONE };
    await expect(put(index, { seq: seq - 1 })).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
    await expect(put(index, { seq: seq + 1 })).rejects.toThrow(/does not follow/);
    await expect(put(index, { previous: randomBytes(32) })).rejects.toThrow(/does not follow/);
    const old = await reader.get({ kind: 'log', name: logName(1) });
    await expect(hostile.put({ kind: 'log', name: logName(seq) }, old)).rejects.toThrow(/says it is entry 1/);
    const [first] = archives;
    const commit = { kind: 'COMMIT', base: null, segments: NONE, rescuedPacks: NONE, rescuedSegments: NONE } as const;
    await expect(put({ ...commit, archive: first?.id ?? '' })).rejects.toThrow(/used twice/);
    const segments = ['5'.repeat(64)];
    await expect(put({ ...commit, archive: randomBytes(16).toString('hex'), segments })).rejects.toThrow(
      /is not there/,
    );
    for (const body of [Buffer.alloc(0), Buffer.alloc(79), randomBytes(500), Buffer.alloc(5_000_000)]) {
      await expect(hostile.put({ kind: 'log', name: logName(seq) }, body)).rejects.toThrow();
    }
    expect((await forger.next('INDEX')).seq).toBe(seq);
  });

  it('cannot fill the repository beyond its quota, nor the log', async () => {
    // All at once, so that each finds the room that all the others find.
    const before = (await packs()).length;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 32 }, async () => {
        const body = randomBytes(1_000_000);
        const name = createHash('sha256').update(body).digest('hex');
        await hostile.put({ kind: 'packs', name }, body);
      }),
    );
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    for (const error of refused) expect(error).toMatchObject({ code: 'STORE_FULL' });
    expect(outcomes.length - refused.length).toBe(PACKS_QUOTA / 1_000_000);
    expect((await packs()).length - before).toBe(PACKS_QUOTA / 1_000_000);
    // Archives without content, so many that no good one would be among the newest; each is a good entry of the log.
    let refusedAt: unknown;
    for (let count = 0; refusedAt === undefined && count < 100; count += 1) {
      const { seq, object } = await forger.next('COMMIT');
      refusedAt = await hostile.put({ kind: 'log', name: logName(seq) }, object).catch((error: unknown) => error);
    }
    expect(refusedAt).toMatchObject({ code: 'STORE_FULL' });
    // Other clients go on, and those who may delete can.
    const admin = openHttpStore({ address: server.address, token: await place.token('admin 2', 'maintain') });
    const { seq, object } = await forger.next('CHECK');
    await admin.put({ kind: 'log', name: logName(seq) }, object);
    await admin[Symbol.asyncDispose]();
  });

  it('cannot bring back a swept name by a late upload', async () => {
    const { key, body } = forger.object('packs');
    await forger.write({ kind: 'CONDEMN', dropped: NONE, packs: [key.name], segments: NONE });
    await forger.write({ kind: 'SWEEP', packs: [key.name], segments: NONE });
    const other = openHttpStore({ address: server.address, token: await place.token('late', 'append') });
    await expect(other.put(key, body)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    await other[Symbol.asyncDispose]();
  });

  it('cannot leave the folder by what it calls a name', async () => {
    const paths = [
      '/v1/objects/packs/..%2f..%2fetc%2fpasswd',
      '/v1/objects/packs/../keys/config',
      '/v1/objects/../../etc/passwd',
      '/v1/objects/packs/%00',
      `/v1/objects/packs/${'a'.repeat(63)}G`,
      `/v1/objects/packs/${'A'.repeat(64)}`,
      `/v1/objects/tmp/${'a'.repeat(64)}`,
      '/v1/objects/packs//',
      '/v1/objects/keys/../../../../etc/shadow',
    ];
    const session = connectHttp2(server.address);
    for (const path of paths) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const status = await statusOf(session, { ':method': method, ':path': path, 'content-length': '0' }, token);
        expect([400, 401, 403, 404]).toContain(status);
      }
    }
    session.destroy();
  });

  it('is not heard without a token, with a wrong one, or with that of another place', async () => {
    const session = connectHttp2(server.address);
    for (const wrong of [undefined, '', 'x', `cairn_${'A'.repeat(43)}`, token.slice(0, -1), `${token} `, `${token}x`]) {
      expect(await statusOf(session, { ':path': '/v1/objects/log' }, wrong)).toBe(401);
    }
    session.destroy();
    const elsewhere = await place.token('elsewhere', 'read', { addresses: ['192.0.2.0/24'] });
    const expired = await place.token('expired', 'read', { expiresMs: place.clock.nowMs - 1 });
    for (const bad of [elsewhere, expired]) {
      const store = openHttpStore({ address: server.address, token: bad });
      await expect(store.get({ kind: 'config', name: 'config' })).rejects.toMatchObject({ code: 'STORE_DENIED' });
      await store[Symbol.asyncDispose]();
    }
    expect(place.log.join('')).not.toContain(token.slice(8, 30));
  });

  it('leaves nothing unfinished behind', async () => {
    const { readdirSync } = await import('node:fs');
    const temps = (): string[] => readdirSync(`${place.repositoryPath}/tmp`).filter((name) => name !== 'reserve');
    await expect.poll(temps, { timeout: 20_000 }).toEqual([]);
  });

  it('cannot prove anything by its own clock', async () => {
    const pin: Decision = {
      kind: 'PIN',
      pin: randomBytes(16).toString('hex'),
      archives: [archives[0]?.id ?? ''],
      until: systemEnvironment.clock.nowNs() + 40n * 86_400_000_000_000n,
    };
    const { seq, object } = await forger.entry(pin);
    await expect(reader.put({ kind: 'log', name: logName(seq) }, object)).rejects.toThrow(/30 d at most/);
  });

  it('has destroyed nothing: every archive restores, and a check finds no damage', async () => {
    for (const { id, directory } of archives) {
      expect(await restoreDifferences(reader, keys, id, directory, place.path('restored'))).toEqual([]);
    }
    const repository = await Repository.open(reader, { keys });
    const { findings } = await repository.check({ data: true });
    // What the hostile client committed is damaged, of course. Nothing else is.
    const ours = new Set([...archives.map(({ id }) => id), ...goodPacks.map((name) => `packs/${name}`)]);
    const errors = findings.filter(({ severity }) => severity === 'error');
    const ofOurs = errors.filter(({ archiveId, object }) => ours.has(archiveId ?? object ?? ''));
    expect(ofOurs).toEqual([]);
    await repository.close();
  });
});
