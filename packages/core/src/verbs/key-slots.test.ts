import { beforeEach, describe, expect, it } from 'vitest';

import { systemEnvironment } from '../host/environment.ts';
import { createPassphraseSlot } from '../keys/passphrase-slot.ts';
import type { Slot } from '../keys/slot.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { cheapSuite, SAMPLE_KEYS, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import { findSlot, listSlots, removeSlot, storeSlot } from './key-slots.ts';

let objects: Map<string, MemoryObject>;
let store: MemoryStore;

beforeEach(() => {
  objects = new Map();
  store = new MemoryStore(systemEnvironment.clock, objects);
});

async function slotOf(seed: string, seconds = 0): Promise<Slot> {
  const notes = { label: seed, createdNs: SAMPLE_TIME_NS + BigInt(seconds) * 1_000_000_000n };
  return await createPassphraseSlot(cheapSuite(), seededRandom(seed), SAMPLE_KEYS, Buffer.from('a passphrase'), notes);
}

describe('the key slots of a store', () => {
  it('are listed by the time they were made, and removed by name', async () => {
    const [late, early] = [await slotOf('late', 60), await slotOf('early')];
    await storeSlot(store, late);
    await storeSlot(store, early);
    expect(await listSlots(store)).toEqual({ slots: [early, late], unreadable: [] });
    await removeSlot(store, early.uid);
    expect((await listSlots(store)).slots).toEqual([late]);
  });

  it('are never replaced', async () => {
    const slot = await slotOf('one');
    await storeSlot(store, slot);
    await expect(storeSlot(store, slot)).rejects.toMatchObject({ code: 'OBJECT_EXISTS' });
  });

  it('do not hide one that is damaged, and can be used beside it', async () => {
    const slot = await slotOf('good');
    await storeSlot(store, slot);
    const other = 'f'.repeat(32);
    await store.put({ kind: 'keys', name: other }, Buffer.from('{"cairn":1}'));
    const { slots, unreadable } = await listSlots(store);
    expect(slots).toEqual([slot]);
    expect(unreadable).toMatchObject([{ uid: other, error: { code: 'CORRUPT' } }]);
  });

  it('say who they are: a copy under another name is none', async () => {
    const slot = await slotOf('good');
    await storeSlot(store, slot);
    const copy = '0'.repeat(32);
    await store.put({ kind: 'keys', name: copy }, await store.get({ kind: 'keys', name: slot.uid }));
    expect(await listSlots(store)).toMatchObject({
      slots: [slot],
      unreadable: [{ uid: copy, error: { code: 'CORRUPT' } }],
    });
  });

  it('are found by the beginning of their names, if that is enough', async () => {
    const slot = await slotOf('good');
    await storeSlot(store, slot);
    await store.put({ kind: 'keys', name: `${slot.uid.slice(0, 8)}${'0'.repeat(24)}` }, Buffer.from('damaged'));
    const stored = await listSlots(store);
    expect(findSlot(stored, slot.uid.slice(0, 12).toUpperCase())).toBe(slot.uid);
    for (const text of [slot.uid.slice(0, 8), slot.uid.slice(0, 3), 'ffff', '']) {
      expect(() => findSlot(stored, text)).toThrowError(expect.objectContaining({ code: 'USAGE' }));
    }
  });

  it('that cannot be listed are not an empty list', async () => {
    const failing = new Proxy(store, {
      get: (target, name) =>
        name === 'get'
          ? () => Promise.reject(Object.assign(new Error('broken disk'), { code: 'EIO' }))
          : Reflect.get(target, name).bind(target),
    });
    await storeSlot(store, await slotOf('good'));
    await expect(listSlots(failing)).rejects.toThrow('broken disk');
  });
});
