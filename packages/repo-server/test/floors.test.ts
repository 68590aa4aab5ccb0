import { openHttpStore, type ObjectStore } from '@cairn/core';
import { logName, type Decision } from '@cairn/core/server';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';

const DAY_MS = 86_400_000;
const NONE: readonly string[] = [];
const id = (): string => randomBytes(16).toString('hex');

/** A maintainer with ill will, or none, against the floors of the host (rules S2 and S5 to S7). */
describe('the floors of a host', () => {
  let place: ServerPlace;
  let admin: ObjectStore;
  let reader: ObjectStore;
  let forger: Forger;

  beforeAll(async () => {
    place = await ServerPlace.create({ floors: 'grace = "7d"\nkept-archives = 2\nshare-a-day = 0.5' });
    forger = await Forger.create(place.repositoryPath);
    const { address } = await place.start();
    admin = openHttpStore({ address, token: await place.token('admin', 'maintain') });
    reader = openHttpStore({ address, token: await place.token('reader', 'read') });
  });
  afterAll(async () => {
    for (const store of [admin, reader]) await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  const put = async (decision: Decision, store = admin): Promise<void> => {
    const { seq, object } = await forger.entry(decision);
    await store.put({ kind: 'log', name: logName(seq) }, object);
  };
  const commit = async (): Promise<string> => {
    const archive = id();
    await put({ kind: 'COMMIT', archive, base: null, segments: NONE, rescuedPacks: NONE, rescuedSegments: NONE });
    return archive;
  };
  const condemn = (dropped: readonly string[], packs: readonly string[] = NONE): Promise<void> =>
    put({ kind: 'CONDEMN', dropped, packs, segments: NONE });

  it('let an archive be dropped only when it was deleted for the grace without a break', async () => {
    const [victim] = [await commit(), await commit(), await commit(), await commit()];
    await expect(condemn([victim])).rejects.toThrow(/not deleted/);
    await put({ kind: 'DELETE', archives: [victim] });
    await expect(condemn([victim])).rejects.toThrow(/the grace of archive .* is not over: 7 d of 7 d/);
    place.clock.offsetMs += 5 * DAY_MS;
    await put({ kind: 'UNDELETE', archives: [victim] });
    place.clock.offsetMs += 5 * DAY_MS;
    await put({ kind: 'DELETE', archives: [victim] });
    // A second DELETE does not begin the time anew, and ten days after the first one the grace is not over.
    place.clock.offsetMs += 6 * DAY_MS;
    await put({ kind: 'DELETE', archives: [victim] });
    await expect(condemn([victim])).rejects.toThrow(/24 h of 7 d are left/);
    place.clock.offsetMs += 1.1 * DAY_MS;
    const pin = id();
    const until = place.clock.nowNs() + 86_400_000_000_000n;
    await put({ kind: 'PIN', pin, archives: [victim], until }, reader);
    await expect(condemn([victim])).rejects.toThrow(/is pinned/);
    await expect(put({ kind: 'UNPIN', pin })).rejects.toThrow(/of another client/);
    await put({ kind: 'UNPIN', pin }, reader);
    await put({ kind: 'ANNOTATE', archives: [victim], protect: true });
    await expect(condemn([victim])).rejects.toThrow(/is protected/);
    await put({ kind: 'ANNOTATE', archives: [victim], protect: false });
    await condemn([victim]);
  });

  it('let an object be swept only when it was condemned for the grace without a break', async () => {
    const { key, body } = forger.object('packs');
    await admin.put(key, body);
    const packs = [key.name];
    const sweep = (): Promise<void> => put({ kind: 'SWEEP', packs, segments: NONE });
    await expect(sweep()).rejects.toThrow(/not condemned/);
    await condemn(NONE, packs);
    await expect(sweep()).rejects.toThrow(/7 d of 7 d are left/);
    await expect(admin.delete(key)).rejects.toMatchObject({ code: 'STORE_DENIED' });
    place.clock.offsetMs += 6 * DAY_MS;
    await put({ kind: 'RESCUE', packs, segments: NONE }, reader);
    await condemn(NONE, packs);
    place.clock.offsetMs += 6 * DAY_MS;
    await condemn(NONE, packs);
    await expect(sweep()).rejects.toThrow(/24 h of 7 d are left/);
    place.clock.offsetMs += 1.1 * DAY_MS;
    await sweep();
    await admin.delete(key);
    await admin.delete(key);
    await expect(reader.get(key)).rejects.toMatchObject({ code: 'OBJECT_MISSING' });
    await expect(admin.put(key, body)).rejects.toThrow(/was swept/);
  });

  it('keep some archives, and let only a share of them go in a day', async () => {
    place.clock.offsetMs += 30 * DAY_MS;
    const archives = [await commit(), await commit(), await commit()];
    // Six are live: the three of the first test that stayed, and these. Half of them may go in a day.
    await expect(put({ kind: 'DELETE', archives: archives.concat(await commit()) })).rejects.toThrow(
      /3 archives be deleted in 24 hours/,
    );
    await put({ kind: 'DELETE', archives: archives.slice(0, 2) });
    place.clock.offsetMs += DAY_MS / 2;
    await put({ kind: 'DELETE', archives: archives.slice(2) });
    await expect(
      put({ kind: 'DELETE', archives: [...(await forger.decisions()).archives.keys()].slice(1, 2) }),
    ).rejects.toThrow(/3 were/);
    place.clock.offsetMs += DAY_MS;
    const live = [...(await forger.decisions()).archives.values()].filter(({ state }) => state === 'live');
    expect(live).toHaveLength(4);
    await put({ kind: 'DELETE', archives: live.slice(0, 2).map((archive) => archive.id) });
    place.clock.offsetMs += 2 * DAY_MS;
    await expect(put({ kind: 'DELETE', archives: live.slice(2, 3).map((archive) => archive.id) })).rejects.toThrow(
      /at least 2 archives/,
    );
  });

  it('count by a clock that never goes back', async () => {
    const before = (await list()).at(-1) ?? 0;
    place.clock.offsetMs -= 20 * DAY_MS;
    await commit();
    place.clock.offsetMs += 20 * DAY_MS;
    const times = await list();
    expect(times.at(-1)).toBe(before);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  async function list(): Promise<number[]> {
    const times: number[] = [];
    for await (const { receivedMs } of reader.list('log')) times.push(receivedMs);
    return times;
  }
});
