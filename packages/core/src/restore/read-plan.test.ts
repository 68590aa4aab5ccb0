import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ChunkPlace } from '../index/index-lookup.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { planReads } from './read-plan.ts';
import { TargetDirectory } from './target-directory.ts';
import type { ChunkUse } from './pending-entry.ts';
import { Window } from './window.ts';

const MiB = 1024 * 1024;
const directory = new TargetDirectory(undefined, '', '/', 0, undefined);

function idOf(number: number): Buffer {
  const id = Buffer.alloc(32);
  id.writeUInt32LE(number);
  return id;
}

/** Uses of the chunks of those numbers, as the planner of entries makes them. */
function usesOf(numbers: readonly number[]): readonly ChunkUse[] {
  const window = new Window();
  for (const number of numbers) {
    window.addSmallFile({ directory, path: '/' }, new Uint8Array(0), undefined, 5, { id: idOf(number), length: 5 });
  }
  return window.uses;
}

const indexOf = (places: ReadonlyMap<number, ChunkPlace>) => ({
  find: (id: Uint8Array) => places.get(Buffer.from(id).readUInt32LE()),
});

const place = (pack: number, offset: number, storedLength: number): ChunkPlace => ({
  pack,
  offset,
  storedLength,
  damaged: false,
  session: 3,
  type: CHUNK_TYPE.data,
});

describe('planReads', () => {
  it('puts each use into one read that covers its chunk, and reads no byte of a chunk twice', () => {
    const lengths = fc.array(
      fc.record({
        pack: fc.nat({ max: 3 }),
        gap: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200_000 })),
        length: fc.oneof(fc.integer({ min: 33, max: 9000 }), fc.integer({ min: 33, max: 8 * MiB })),
      }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(lengths, fc.array(fc.nat({ max: 50 }), { maxLength: 80 }), (chunks, wanted) => {
        const ends = [0, 0, 0, 0];
        const places = new Map<number, ChunkPlace>();
        for (const [number, { pack, gap, length }] of chunks.entries()) {
          const offset = (ends[pack] as number) + gap;
          ends[pack] = offset + length;
          places.set(number, place(pack, offset, length));
        }
        const { reads, unknown } = planReads(usesOf(wanted), indexOf(places));
        expect(unknown).toHaveLength(wanted.filter((number) => !places.has(number)).length);
        const numbers = reads.flatMap(({ uses }) => uses.map(({ id }) => Buffer.from(id as Uint8Array).readUInt32LE()));
        expect(numbers.sort()).toEqual(wanted.filter((number) => places.has(number)).sort());
        const seen = new Set<string>();
        for (const read of reads) {
          expect(read.length <= 4 * MiB || new Set(read.uses.map(({ offset }) => offset)).size === 1).toBe(true);
          for (const offset of new Set(read.uses.map((use) => use.offset))) {
            expect(seen.has(`${read.pack} ${offset}`)).toBe(false);
            seen.add(`${read.pack} ${offset}`);
          }
          for (const use of read.uses) {
            expect(use.offset).toBeGreaterThanOrEqual(read.offset);
            expect(use.offset + use.storedLength).toBeLessThanOrEqual(read.offset + read.length);
            expect([use.pack, use.session]).toEqual([read.pack, 3]);
          }
        }
      }),
    );
  });

  it('reads over small gaps and not over large ones', () => {
    const places = new Map([
      [0, place(7, 100, 1000)],
      [1, place(7, 1100 + 60_000, 1000)],
      [2, place(7, 500_000, 1000)],
    ]);
    const { reads } = planReads(usesOf([2, 0, 1, 0]), indexOf(places));
    expect(reads.map(({ offset, length, uses }) => [offset, length, uses.length])).toEqual([
      [100, 62_000, 3],
      [500_000, 1000, 1],
    ]);
  });
});
