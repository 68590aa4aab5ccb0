import { DirectoryStore, isCairnError, openHttpStore, type ObjectStore } from '@cairn/core';
import { logName, type ObjectKey } from '@cairn/core/server';
import { appendFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';

/** `CAIRN_KILL_ROUNDS=2000` for more. */
const ROUNDS = Number(process.env['CAIRN_KILL_ROUNDS'] ?? 200);
/** Milliseconds under load before the server is killed, at most: long enough for some dozen objects. */
const MOST_MS = 100;
/** Milliseconds for the first object of a round. */
const PATIENCE_MS = 10_000;
const WRITERS = 4;

interface Acknowledged {
  readonly key: ObjectKey;
  readonly body: Uint8Array;
}

describe('a server that is killed again and again', () => {
  let place: ServerPlace;
  let token: string;
  let forger: Forger;
  const acknowledged: Acknowledged[] = [];

  beforeAll(async () => {
    place = await ServerPlace.create();
    token = await place.token('writer', 'append', { entriesPerDay: 1_000_000 });
    forger = await Forger.create(place.repositoryPath);
  });
  afterAll(async () => await place[Symbol.asyncDispose]());

  const putPacks = async (store: ObjectStore): Promise<void> => {
    for (;;) {
      const { key, body } = forger.object(Math.random() < 0.8 ? 'packs' : 'index');
      await store.put(key, body);
      acknowledged.push({ key, body });
    }
  };
  const putEntries = async (store: ObjectStore): Promise<void> => {
    for (let entry = await forger.next('COMMIT'); ; entry = await forger.after(entry, 'COMMIT')) {
      const key: ObjectKey = { kind: 'log', name: logName(entry.seq) };
      await store.put(key, entry.object);
      acknowledged.push({ key, body: entry.object });
    }
  };

  it(
    `loses nothing that it acknowledged, in ${ROUNDS} rounds`,
    async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const server = await ServerProcess.start(place.config);
        const store = openHttpStore({ address: server.address, token });
        const before = acknowledged.length;
        const work = [...Array.from({ length: WRITERS }, () => putPacks(store)), putEntries(store)];
        const outcomes = Promise.allSettled(work);
        // Every other one is under load for sure, however slow this machine is; the rest may be killed before anything is stored.
        const until = performance.now() + PATIENCE_MS;
        while (round % 2 === 0 && acknowledged.length === before && performance.now() < until) await sleep(1);
        await sleep(Math.random() * MOST_MS);
        await server.end('SIGKILL');
        for (const outcome of await outcomes) {
          if (outcome.status === 'rejected' && !isCairnError(outcome.reason, 'STORE_UNREACHABLE')) throw outcome.reason;
        }
        await store[Symbol.asyncDispose]();
        await expectThere(acknowledged.slice(before));
      }
      expect(acknowledged.length).toBeGreaterThanOrEqual(ROUNDS / 2);
      await expectThere(acknowledged);
      const decisions = await forger.decisions();
      expect(decisions.archives.size).toBeGreaterThan(0);
    },
    60_000 + ROUNDS * 3_000,
  );

  /** Read back from the disk, past any server. */
  async function expectThere(objects: readonly Acknowledged[]): Promise<void> {
    const store = await DirectoryStore.open(place.repositoryPath);
    for (const { key, body } of objects) expect(Buffer.compare(await store.get(key), body)).toBe(0);
  }
});

describe('a log', () => {
  it('that was cut short at its end is used again, and what was cut is kept', async () => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const entry = (seq: number): string => `${place.repositoryPath}/log/${logName(seq)}`;
    for (const torn of [
      Buffer.alloc(0),
      Buffer.alloc(4096),
      Buffer.from('CR'),
      (await forger.next('COMMIT')).object.slice(0, 150),
    ]) {
      writeFileSync(entry(4), torn);
      const server = await ServerProcess.start(place.config);
      const store = openHttpStore({ address: server.address, token: await place.token(`c${torn.length}`, 'append') });
      await expect(store.get({ kind: 'log', name: logName(4) })).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
      await store[Symbol.asyncDispose]();
      await server.end('SIGTERM');
    }
    expect(readdirSync(`${place.repositoryPath}/tmp`).filter((name) => name.startsWith('aside-'))).toHaveLength(4);
    const server = await ServerProcess.start(place.config);
    const store = openHttpStore({ address: server.address, token: await place.token('last', 'append') });
    const { seq, object } = await forger.next('COMMIT');
    expect(seq).toBe(4);
    await store.put({ kind: 'log', name: logName(seq) }, object);
    await store[Symbol.asyncDispose]();
    await server.end('SIGTERM');
    await place[Symbol.asyncDispose]();
  });

  it.each([
    ['is cut short in the middle', (path: string) => truncateSync(path, 100), /log entry 2 .* is damaged/],
    ['has a byte too many in the middle', (path: string) => appendFileSync(path, 'x'), /log entry 2 .* is damaged/],
    ['lacks an entry', (path: string) => truncateSync(path, 0), /log entry 2 .* is damaged/],
  ])('that %s stops the server with a message', async (_, damage, message) => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    damage(`${place.repositoryPath}/log/${logName(2)}`);
    await expect(ServerProcess.start(place.config)).rejects.toThrow(message);
    await place[Symbol.asyncDispose]();
  });
});
