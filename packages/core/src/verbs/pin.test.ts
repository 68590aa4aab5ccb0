import { beforeEach, describe, expect, it } from 'vitest';

import { restrict } from '../crypto/capabilities.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { isCairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import { PIN } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { Clock } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, fileNode, memoryClientState } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { applyDelete, planDelete } from './delete.ts';
import { pinArchives } from './pin.ts';

const HOUR = 60 * 60 * 1000;
const START_MS = Date.UTC(2026, 10, 21, 8);

/** Clocks that stand still until a test moves them. */
class Clocks implements Clock {
  wallMs = START_MS;
  runMs = 1000;

  nowNs(): bigint {
    return BigInt(this.wallMs) * 1_000_000n;
  }

  monotonicMs(): number {
    return this.runMs;
  }

  pass(ms: number): void {
    this.wallMs += ms;
    this.runMs += ms;
  }
}

let machine: Clocks;
let storeClock: Clocks;
let objects: Map<string, MemoryObject>;
let builder: ArchiveBuilder;
let archives: ArchiveRecord[];

beforeEach(async () => {
  [machine, storeClock] = [new Clocks(), new Clocks()];
  objects = new Map();
  builder = await ArchiveBuilder.create({ store: new MemoryStore(storeClock, objects) });
  archives = [await builder.commit([fileNode('a', 'a')]), await builder.commit([fileNode('b', 'b')])];
});

const coded = (code: string): unknown => expect.toSatisfy((error) => isCairnError(error) && error.code === code);
const open = (store: ObjectStore = builder.store): Promise<RepositoryAccess> =>
  RepositoryAccess.open({
    store,
    keys: builder.keys,
    suite: nodeSuite,
    environment: { clock: machine, random: systemEnvironment.random },
    clientState: memoryClientState(),
  });

function pass(ms: number): void {
  machine.pass(ms);
  storeClock.pass(ms);
}

/** Pins in the log that the store's clock has not ended, with how long they last from now. */
async function standing(): Promise<readonly { readonly holder: string; readonly leftMs: number }[]> {
  const { pins } = (await open()).log.state;
  return [...pins.values()]
    .map(({ holder, until }) => ({ holder, leftMs: Number(until / 1_000_000n) - storeClock.wallMs }))
    .filter(({ leftMs }) => leftMs > 0);
}

async function drop(archive: ArchiveRecord): Promise<void> {
  const access = await open();
  await applyDelete(access, planDelete(access, [archive]));
  await access.log.append(() => ({ kind: 'CONDEMN', dropped: [archive.id], packs: [], segments: [], reason: '' }));
}

describe('a pin', () => {
  it('is in the log, for its archives, its time and under a random id', async () => {
    const access = await open();
    const pins = [
      await pinArchives(access, [...archives, ...archives], { holder: 'mount', ttlMs: HOUR }),
      await pinArchives(access, archives.slice(0, 1), { holder: 'other' }),
    ];
    const ids = archives.map(({ id }) => id);
    const { state } = (await open()).log;
    expect([...state.pins.values()]).toEqual([
      { archives: ids, until: BigInt(START_MS + HOUR) * 1_000_000n, holder: 'mount' },
      { archives: ids.slice(0, 1), until: BigInt(START_MS + PIN.defaultMs) * 1_000_000n, holder: 'other' },
    ]);
    expect(new Set(state.pins.keys()).size).toBe(2);
    for (const id of state.pins.keys()) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(pins.map(({ isReliable, isRenewalDue }) => [isReliable, isRenewalDue])).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  it('is relied on for a margin less than it lasts', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    pass(HOUR - PIN.marginMs - 1);
    expect(pin.isReliable).toBe(true);
    expect(await standing()).toHaveLength(1);
    pass(1);
    expect(pin.isReliable).toBe(false);
    expect(await standing()).toEqual([{ holder: 'mount', leftMs: PIN.marginMs }]);
    pass(PIN.marginMs);
    expect(await standing()).toEqual([]);
  });

  it('lasts its time again from each renewal, for as long as one likes', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    for (let i = 0; i < 20; i++) {
      expect(pin.isRenewalDue).toBe(false);
      pass(HOUR / 2);
      expect([pin.isRenewalDue, pin.isReliable]).toEqual([true, true]);
      await pin.renew();
      expect(Math.max(...(await standing()).map(({ leftMs }) => leftMs))).toBe(HOUR);
    }
    // Older ones end by themselves: one entry for each renewal, and two pins at most at any time.
    expect((await standing()).length).toBeLessThanOrEqual(2);
    expect((await open()).log.seq).toBe(2 + 21);
  });

  it('ends with its release, wholly, and once', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    pass(HOUR / 2);
    await pin.renew();
    expect(await standing()).toHaveLength(2);
    await pin.release();
    expect(await standing()).toEqual([]);
    const { seq } = (await open()).log;
    await pin.release();
    await pin[Symbol.asyncDispose]();
    expect((await open()).log.seq).toBe(seq);
    expect(pin.isReliable).toBe(false);
  });

  it('of a reader who died ends by itself', async () => {
    await pinArchives(await open(), archives, { holder: 'dead', ttlMs: HOUR });
    pass(HOUR);
    expect(await standing()).toEqual([]);
  });

  it('that is renewed and released at once is released', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    await Promise.all([pin.renew(), pin.release()]);
    expect(await standing()).toEqual([]);
  });

  it('by several readers at once counts for each', async () => {
    const readers = await Promise.all([1, 2, 3, 4].map(() => open()));
    const pins = await Promise.all(readers.map((access, i) => pinArchives(access, archives, { holder: `${i}` })));
    expect((await standing()).map(({ holder }) => holder).sort()).toEqual(['0', '1', '2', '3']);
    await Promise.all(pins.slice(1).map((pin) => pin.release()));
    expect((await standing()).map(({ holder }) => holder)).toEqual(['0']);
  });
});

describe('a pin and clocks', () => {
  it('lasts its time by the store whose clock is ahead', async () => {
    storeClock.pass(3 * HOUR);
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    // The first one, by this machine's clock, had ended before it began.
    expect(await standing()).toEqual([{ holder: 'mount', leftMs: HOUR }]);
    expect([pin.isReliable, pin.isRenewalDue]).toEqual([true, false]);
    pass(HOUR - PIN.marginMs);
    expect(pin.isReliable).toBe(false);
    await pin.renew();
    expect(Math.max(...(await standing()).map(({ leftMs }) => leftMs))).toBe(HOUR);
  });

  it('is not relied on longer because somebody set the clock back', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    pass(HOUR - PIN.marginMs);
    machine.wallMs -= 24 * HOUR;
    expect(pin.isReliable).toBe(false);
  });

  it('is not relied on by a machine that slept, whose monotonic clock stood still', async () => {
    const pin = await pinArchives(await open(), archives, { holder: 'mount', ttlMs: HOUR });
    storeClock.pass(2 * HOUR);
    machine.wallMs += 2 * HOUR;
    expect(pin.isReliable).toBe(false);
  });
});

describe('pinning', () => {
  it('what was dropped is refused, also when a pin that ended is renewed', async () => {
    const access = await open();
    const pin = await pinArchives(access, archives, { holder: 'mount', ttlMs: HOUR });
    pass(2 * HOUR);
    await drop(archives[0] as ArchiveRecord);
    await expect(pin.renew()).rejects.toThrow(coded('ARCHIVE_MISSING'));
    await expect(pin.renew()).rejects.toThrow(/cannot be pinned: its space was given back/);
    expect(pin.isReliable).toBe(false);
    await expect(pinArchives(access, archives, { holder: 'mount' })).rejects.toThrow(coded('ARCHIVE_MISSING'));
    await pin.release();
    expect(await standing()).toEqual([]);
  });

  it('what is deleted is allowed: until it is dropped it can be read', async () => {
    const access = await open();
    await applyDelete(access, planDelete(access, archives));
    expect((await pinArchives(access, archives, { holder: 'mount' })).isReliable).toBe(true);
  });

  it('for no time, too long, nothing, or with a key that only backs up is refused', async () => {
    const access = await open();
    for (const ttlMs of [0, -1, 2 * PIN.marginMs, PIN.maxMs + 1, Number.NaN, Infinity]) {
      await expect(pinArchives(access, archives, { holder: 'x', ttlMs }), `${ttlMs}`).rejects.toThrow(coded('USAGE'));
    }
    for (const ttlMs of [2 * PIN.marginMs + 1, PIN.maxMs]) {
      expect((await pinArchives(access, archives, { holder: 'x', ttlMs })).isReliable).toBe(true);
    }
    await expect(pinArchives(access, [], { holder: 'x' })).rejects.toThrow(coded('USAGE'));
    const writer = await builder.access(builder.store, restrict(builder.keys, 'write'));
    await expect(pinArchives(writer, archives, { holder: 'x' })).rejects.toThrow(coded('RIGHT_MISSING'));
  });

  it.each(['before', 'after'] as const)(
    'on a store that fails one call (%s it was done) pins, or says so',
    async (when) => {
      for (let at = 1; ; at++) {
        const store = new FaultyStore(new MemoryStore(storeClock, new Map(objects)), [{ at, when }]);
        const before = store.operations;
        const outcome = await open(store)
          .then(async (access) => {
            const pin = await pinArchives(access, archives, { holder: 'mount', ttlMs: HOUR });
            await pin.renew();
            return pin.isReliable;
          })
          .catch((error: unknown) => (isCairnError(error) ? error.code : String(error)));
        expect([true, 'STORE_FAILED']).toContain(outcome);
        if (outcome === true && store.operations - before < at) break;
      }
    },
  );

  it('again after a failed renewal is as good as ever', async () => {
    const store = new FaultyStore(builder.store, [{ operation: 'put', at: 2, when: 'before' }]);
    const pin = await pinArchives(await open(store), archives, { holder: 'mount', ttlMs: HOUR });
    pass(HOUR / 2);
    await expect(pin.renew()).rejects.toThrow(coded('STORE_FAILED'));
    expect(pin.isReliable).toBe(true);
    await pin.renew();
    expect(Math.max(...(await standing()).map(({ leftMs }) => leftMs))).toBe(HOUR);
    await pin.release();
    expect(await standing()).toEqual([]);
  });
});
