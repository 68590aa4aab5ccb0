import { describe, expect, it } from 'vitest';

import type { ByteRange, ObjectStore } from '../ports/object-store.ts';
import { PackBytes } from './pack-bytes.ts';

const MiB = 1024 * 1024;
const LARGE = 16 * MiB;
const SMALL = 2 * MiB;

/** A store of packs of one size; every byte says where it is. Notes what is read. */
function storeOf(sizeBytes: number): { store: ObjectStore; reads: (readonly [offset: number, length: number])[] } {
  const reads: (readonly [number, number])[] = [];
  const pack = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += 4) pack.writeUInt32LE(at, at);
  const get = async (_: unknown, { range = { offset: 0, length: sizeBytes } }: { range?: ByteRange } = {}) => {
    reads.push([range.offset, range.length]);
    return new Uint8Array(pack.subarray(range.offset, range.offset + range.length));
  };
  return { store: { get } as unknown as ObjectStore, reads };
}

async function check(packs: PackBytes, sizeBytes: number, offset: number, length: number, name = 'a'): Promise<void> {
  const bytes = await packs.get({ name, sizeBytes, offset, length });
  expect(bytes).toHaveLength(length);
  expect(Buffer.from(bytes).readUInt32LE(0)).toBe(offset);
}

describe('parts of a large pack', () => {
  it('are read together when they are small and follow each other', async () => {
    const { store, reads } = storeOf(LARGE);
    const packs = new PackBytes(store);
    for (let offset = 4096; offset < 2 * MiB; offset += 4096) await check(packs, LARGE, offset, 4096);
    // The first by itself, and then half a mebibyte at a time.
    expect(reads[0]).toEqual([4096, 4096]);
    expect(reads.slice(1).map(([, length]) => length)).toEqual([MiB / 2, MiB / 2, MiB / 2, MiB / 2]);
  });

  it('are read by themselves when they are large, or lie anywhere', async () => {
    const { store, reads } = storeOf(LARGE);
    const packs = new PackBytes(store);
    await check(packs, LARGE, 0, MiB);
    await check(packs, LARGE, MiB, MiB);
    for (const at of [12, 3, 9, 5]) await check(packs, LARGE, at * MiB, 4096);
    expect(reads.map(([, length]) => length)).toEqual([MiB, MiB, 4096, 4096, 4096, 4096]);
  });

  it('are asked for once, however many ask at the same time, and up to the end of the pack', async () => {
    const { store, reads } = storeOf(LARGE);
    const packs = new PackBytes(store);
    await check(packs, LARGE, LARGE - 16_384, 4096);
    await Promise.all([1, 2, 3].map((i) => check(packs, LARGE, LARGE - 16_384 + 4096 * i, 4096)));
    expect(reads).toEqual([
      [LARGE - 16_384, 4096],
      [LARGE - 12_288, 12_288],
    ]);
  });

  it('are read anew after they were dropped, or could not be read', async () => {
    const { store, reads } = storeOf(LARGE);
    let fails = false;
    const flaky = {
      get: async (...args: Parameters<ObjectStore['get']>) => {
        if (fails) throw new Error('away');
        return await store.get(...args);
      },
    } as unknown as ObjectStore;
    const packs = new PackBytes(flaky);
    await check(packs, LARGE, 0, 4096);
    fails = true;
    const failed = packs.get({ name: 'a', sizeBytes: LARGE, offset: 4096, length: 4096 });
    await expect(failed).rejects.toThrow('away');
    fails = false;
    await check(packs, LARGE, 4096, 4096);
    expect(reads).toHaveLength(2);
    packs.drop('a');
    await check(packs, LARGE, 4096, 4096);
    expect(reads).toHaveLength(3);
  });
});

describe('a small pack', () => {
  it('is read whole with its second part', async () => {
    const { store, reads } = storeOf(SMALL);
    const packs = new PackBytes(store);
    for (const at of [40, 10, 30, 20]) await check(packs, SMALL, at * 4096, 4096);
    expect(reads).toEqual([
      [40 * 4096, 4096],
      [0, SMALL],
    ]);
  });
});
