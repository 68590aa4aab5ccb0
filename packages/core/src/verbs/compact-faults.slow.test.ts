import { describe, expect, it } from 'vitest';

import { CairnError, isCairnError } from '../errors.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { CompactScratch, DAY_MS } from '../testing/compact-scratch.ts';
import { FaultyStore, type Fault } from '../testing/faulty-store.ts';

let scratch: CompactScratch;
let base: Map<string, MemoryObject>;

/** A repository in which a compaction has everything to do: drop, sweep, remove, repack; and merge, if there are segments. */
async function prepare(segments: number): Promise<void> {
  scratch = await CompactScratch.create();
  const gone = await scratch.commit({ a: ['gone'] });
  const old = await scratch.commit({ a: ['1', '2', '3'] });
  await scratch.commit({ b: ['3'] });
  for (let i = 0; i < segments; i++) await scratch.commit({ small: [`${i}`] });
  await scratch.putUnlisted();
  await scratch.delete(gone);
  scratch.advance(8 * DAY_MS);
  await scratch.compact({ maxUnused: 0.9 });
  await scratch.delete(old);
  scratch.advance(8 * DAY_MS);
  base = new Map(scratch.objects);
}

function startAgain(): void {
  for (const key of scratch.objects.keys()) if (!base.has(key)) scratch.objects.delete(key);
  for (const [key, object] of base) scratch.objects.set(key, object);
}

/** A compaction through a store with that fault: its error if there was one, and the calls it made. */
async function faulty(fault: Fault): Promise<{ readonly error: unknown; readonly operations: number }> {
  const store = new FaultyStore(scratch.store, [fault]);
  try {
    await scratch.compact({}, store);
    return { error: undefined, operations: store.operations };
  } catch (error) {
    return { error, operations: store.operations };
  }
}

/** Sound, and clean once all graces are over: what the failed run left was used or collected. */
async function expectSound(): Promise<void> {
  expect(await scratch.mistakes()).toEqual([]);
  await scratch.reclaim();
  const access = await scratch.open();
  expect(access.log.state.condemnedPacks.size).toBe(0);
  const { packs } = await access.index();
  expect(scratch.names('packs').toSorted()).toEqual(packs.map(({ name }) => name).toSorted());
  expect(await scratch.unreadable(access)).toEqual([]);
}

describe.each(['before', 'after'] as const)('a store that fails one call of a compaction (%s it was done)', (when) => {
  it('never hurts what is there, whichever call it is', async () => {
    await prepare(0);
    const codes = new Set<string>();
    for (let at = 1; ; at++) {
      startAgain();
      const { error, operations } = await faulty({ at, when });
      if (error === undefined && operations < at) break;
      if (error !== undefined) codes.add(isCairnError(error) ? error.code : String(error));
      await expectSound();
    }
    expect([...codes]).toEqual(['STORE_FAILED']);
  });
});

describe('a compaction that dies', () => {
  it('never hurts what is there, after whichever call that is', async () => {
    await prepare(0);
    for (let at = 1; ; at++) {
      startAgain();
      const { operations, error } = await faulty({ at, when: 'before', times: Infinity });
      if (error === undefined && operations < at) break;
      await expectSound();
    }
  });

  it('never hurts the index that it merges, after whichever put that is', async () => {
    await prepare(13);
    for (let at = 1; ; at++) {
      startAgain();
      const { error } = await faulty({ at, operation: 'put', when: 'after', times: Infinity });
      if (error === undefined) break;
      await expectSound();
    }
  });
});

describe('a store that does not answer', () => {
  it('has the outcome of each append read back (R2)', async () => {
    await prepare(0);
    const unreachable = (what: string): Error => new CairnError('STORE_UNREACHABLE', `${what} was not answered`);
    for (let at = 1; at <= 6; at++) {
      startAgain();
      await faulty({ at, operation: 'put', when: 'after', error: unreachable });
      await expectSound();
    }
  });
});

describe('a store that answers each put with "it is there already", because an earlier attempt got through', () => {
  it('has what was to be put', async () => {
    await prepare(13);
    startAgain();
    const exists = (what: string): Error => new CairnError('OBJECT_EXISTS', `${what} is there already`);
    const { error } = await faulty({ at: 1, times: Infinity, operation: 'put', when: 'after', error: exists });
    expect(error).toBeUndefined();
    await expectSound();
  });
});
