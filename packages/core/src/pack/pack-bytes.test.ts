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

describe('a large pack', () => {
  it('is read chunk by chunk', async () => {
    const { store, reads } = storeOf(LARGE);
    const packs = new PackBytes(store);
    for (const at of [12, 3, 4, 5]) await check(packs, LARGE, at * MiB, 4096);
    expect(reads).toEqual([12, 3, 4, 5].map((at) => [at * MiB, 4096]));
  });
});

describe('a small pack', () => {
  it('is read whole with its second part', async () => {
    const { store, reads } = storeOf(SMALL);
    const packs = new PackBytes(store);
    await check(packs, SMALL, 40 * 4096, 4096);
    await Promise.all([10, 30, 20].map((at) => check(packs, SMALL, at * 4096, 4096)));
    await check(packs, SMALL, 50 * 4096, 4096);
    expect(reads).toEqual([
      [40 * 4096, 4096],
      [0, SMALL],
    ]);
  });

  it('is read chunk by chunk once something in it was wrong: there may be thousands that are', async () => {
    const { store, reads } = storeOf(SMALL);
    const packs = new PackBytes(store);
    for (const at of [1, 2]) await check(packs, SMALL, at * 4096, 4096);
    packs.doubt('a');
    for (const at of [0, 3, 0]) await check(packs, SMALL, at * 4096, 4096);
    expect(reads.slice(2)).toEqual([0, 3, 0].map((at) => [at * 4096, 4096]));
  });
});
