import { openHttpStore, Repository, restrict, type Capabilities, type ObjectStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { backUp, differencesOf, makeRepository, writeFiles } from './support/backups.ts';
import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';

const MEMORY = '/dev/shm';
const DAY_MS = 86_400_000;
const DAYS = 5;
/** `CAIRN_HOSTILE_ARCHIVES=20000` for more. */
const ARCHIVES = Number(process.env['CAIRN_HOSTILE_ARCHIVES'] ?? 3_000);
/** The series of the forger's archives, which the good ones have, too. */
const SERIES = 'home';

/** Somebody with the append credential and every key wants retention to throw the good archives away. */
describe(`${ARCHIVES} archives that press good ones out of retention`, () => {
  let place: ServerPlace;
  let memory: string;
  let keys: Capabilities;
  let admin: ObjectStore;
  let reader: ObjectStore;
  let source: string;
  let tooMany: unknown;
  const good: string[] = [];

  const openAdmin = async (): Promise<Repository> => {
    const { clock } = place;
    const environment = { clock, random: { bytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)) } };
    return await Repository.open(admin, { keys: restrict(keys, 'maintain'), environment });
  };

  beforeAll(async () => {
    // In memory, if there is such a place: durability is tested elsewhere, and thousands of entries take their time.
    memory = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'cairn-retention-'));
    place = await ServerPlace.create({ floors: 'grace = "7d"\nkept-archives = 0', path: join(memory, 'main') });
    const { address } = await place.start();
    const store = async (
      name: string,
      role: 'append' | 'read' | 'maintain',
      entriesPerDay = 1_000,
    ): Promise<ObjectStore> => openHttpStore({ address, token: await place.token(name, role, { entriesPerDay }) });
    admin = await store('admin', 'maintain');
    reader = await store('reader', 'read');
    keys = await makeRepository(admin);
    source = place.path('source');
    writeFiles(source, 2, 20_000);
    const honest = await store('honest', 'append');
    for (let day = 0; day < DAYS; day += 1) {
      good.push((await backUp(honest, keys, source, SERIES)).id);
      place.clock.offsetMs += DAY_MS;
    }
    const hostile = await store('hostile', 'append', ARCHIVES);
    const forger = await Forger.create(place.repositoryPath, keys.log);
    let last = await forger.next('COMMIT');
    for (let count = 0; count < ARCHIVES; count += 1) {
      await hostile.put({ kind: 'log', name: logName(last.seq) }, last.object);
      last = await forger.after(last, 'COMMIT');
    }
    tooMany = await hostile.put({ kind: 'log', name: logName(last.seq) }, last.object).catch((error: unknown) => error);
    await backUp(honest, keys, source, SERIES);
    for (const one of [honest, hostile]) await one[Symbol.asyncDispose]();
  }, 120_000);
  afterAll(async () => {
    for (const store of [admin, reader]) await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
    rmSync(memory, { recursive: true });
  });

  it('come to an end: what a credential may write in a day is over, and that of others is not', () => {
    expect(tooMany).toMatchObject({ code: 'STORE_FULL' });
  });

  it('do not take the days of the good ones: all came on one day of the server, whatever they say', async () => {
    const repository = await openAdmin();
    const plan = await repository.planPrune({ policy: { daily: 7, weekly: 4 }, maxShare: 1 });
    const kept = plan.series.flatMap(({ verdicts }) => verdicts).filter(({ reasons }) => reasons.length > 0);
    expect(kept.map(({ archive }) => archive.id)).toEqual(expect.arrayContaining(good));
    expect(kept).toHaveLength(DAYS + 1);
  });

  it('make a policy that only counts remove too much at once, which nobody does without asking', async () => {
    const repository = await openAdmin();
    const plan = await repository.planPrune({ policy: { last: 7 } });
    await expect(repository.prune(plan)).rejects.toMatchObject({ code: 'SHARE_EXCEEDED' });
  });

  it('do no harm even when somebody asks for that: what goes is hidden, and comes back within the grace', async () => {
    const repository = await openAdmin();
    await repository.prune(await repository.planPrune({ policy: { last: 7 }, maxShare: 1 }));
    // Nothing goes as long as there are archives of which nobody knows what they need.
    await expect(repository.compact()).rejects.toMatchObject({ code: 'CORRUPT' });
    place.clock.offsetMs += DAY_MS;
    const later = await openAdmin();
    await later.undelete(await later.planUndelete(good));
    const restored = await Repository.open(reader, { keys: restrict(keys, 'read') });
    for (const id of good) {
      expect(await differencesOf(restored, id, source, place.path('restored'))).toEqual([]);
    }
  });
});
