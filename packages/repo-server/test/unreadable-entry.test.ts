import { openHttpStore, Repository, restrict, type Capabilities, type ObjectStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';

/**
 * A hacked machine with the append credential and every key writes entries that no key opens, or that hold nonsense. A server without
 * keys cannot tell; nobody else may be stopped by it.
 */
describe('an entry that no key opens, on a server', () => {
  let place: ServerPlace;
  let keys: Capabilities;
  let admin: ObjectStore;
  let good: ObjectStore;
  let reader: ObjectStore;
  let source: string;
  let first: string;
  let bad: number;

  beforeAll(async () => {
    place = await ServerPlace.create({ floors: 'grace = "7d"\nkept-archives = 0' });
    const { address } = await place.start();
    const store = async (name: string, role: 'append' | 'read' | 'maintain'): Promise<ObjectStore> =>
      openHttpStore({ address, token: await place.token(name, role) });
    admin = await store('admin', 'maintain');
    good = await store('good', 'append');
    reader = await store('reader', 'read');
    keys = await makeRepository(admin);
    source = place.path('source');
    writeFiles(source, 2, 50_000);
    first = (await backUp(good, keys, source)).id;
    const hostile = await store('hostile', 'append');
    for (const logKey of [undefined, keys.log]) {
      const forger = await Forger.create(place.repositoryPath, logKey);
      const { seq, object } = await forger.next('COMMIT');
      // The second is sealed under the right key: changed afterwards, it opens no more.
      if (logKey !== undefined) object[object.length - 1] = (object.at(-1) ?? 0) ^ 1;
      await hostile.put({ kind: 'log', name: logName(seq) }, object);
      bad = seq;
    }
    await hostile[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    for (const store of [admin, good, reader]) await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it('keeps nobody from backing up and restoring', async () => {
    const { id } = await backUp(good, keys, source);
    for (const archive of [first, id]) {
      expect(await restoreDifferences(reader, keys, archive, source, place.path('restored'))).toEqual([]);
    }
  });

  it('is told to whoever opens the repository', async () => {
    const repository = await Repository.open(reader, { keys: restrict(keys, 'read') });
    const doubts = repository.doubts();
    expect(doubts.map(({ details }) => details?.['seq'])).toEqual([bad - 1, bad]);
    expect(doubts[0]?.hint).toContain('cairn-server audit');
  });

  it('is given up by a maintainer, and compaction goes on after the grace', async () => {
    const repository = await Repository.open(admin, { keys: restrict(keys, 'maintain') });
    await expect(repository.planCompact()).rejects.toMatchObject({ code: 'CORRUPT' });
    await repository.repair(await repository.planRepair({ threads: 0, giveUp: [bad - 1, bad] }));
    expect(repository.doubts()).toEqual([]);
    await expect(repository.compact()).rejects.toMatchObject({ code: 'CORRUPT' });
    place.clock.offsetMs += 8 * 86_400_000;
    const { clock } = place;
    const { random } = repository.access.environment;
    const later = await Repository.open(admin, { keys: restrict(keys, 'maintain'), environment: { clock, random } });
    expect((await later.compact()).droppedUnreadable).toBe(2);
    const { findings } = await (await Repository.open(reader, { keys })).check({ data: true, threads: 0 });
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('the newest entry of a log', () => {
  it.each([
    ['is another than was acknowledged', /log entry 2 .* is not what was acknowledged/],
    ['is gone', /log entry 2 .* was acknowledged, and is not there/],
  ])('that %s stops the server with a message', async (what, message) => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    const server = await ServerProcess.start(place.config);
    const store = openHttpStore({ address: server.address, token: await place.token('client', 'append') });
    for (let count = 0; count < 2; count += 1) {
      const { seq, object } = await forger.next('INDEX');
      await store.put({ kind: 'log', name: logName(seq) }, object);
    }
    const path = `${place.repositoryPath}/log/${logName(2)}`;
    const entry = readFileSync(path);
    rmSync(path);
    if (what !== 'is gone')
      writeFileSync(
        path,
        entry.map((byte, at) => (at === entry.length - 1 ? byte ^ 1 : byte)),
      );
    // While it runs it takes nothing behind such an entry either.
    const next = await forger.next('INDEX');
    await expect(store.put({ kind: 'log', name: logName(3) }, next.object)).rejects.toMatchObject({
      code: 'STORE_DENIED',
    });
    await store[Symbol.asyncDispose]();
    await server.end('SIGTERM');
    await expect(ServerProcess.start(place.config)).rejects.toThrow(message);
    writeFileSync(path, entry);
    await (await ServerProcess.start(place.config)).end('SIGTERM');
    await place[Symbol.asyncDispose]();
  });
});
