import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { ChunkIndex, ChunkIndexBuilder } from './chunk-index.ts';
import { IndexLookup, type ChunkPlace } from './index-lookup.ts';
import { RECORD_BYTES, type IndexedPack, type IndexSegment } from './segment.ts';

interface Listed {
  readonly id: Buffer;
  readonly offset: number;
  readonly storedLength: number;
  readonly session: number;
  readonly type: 1 | 2 | 3;
}

type Listing = readonly [pack: IndexedPack, chunks: readonly Listed[]];

const SESSIONS = Array.from({ length: LIMITS.packSessions }, (_, i) => ({
  sid: pseudoRandomBytes(`sid ${i}`, 16),
  epk: pseudoRandomBytes(`epk ${i}`, 32),
}));

function pack(number: number, dataStart = 1000): IndexedPack {
  const name = toHex(pseudoRandomBytes(`pack ${number}`, 32));
  return { name, sizeBytes: LIMITS.packBytes, dataStart, kind: 2, sessions: SESSIONS };
}

function segment(listings: readonly Listing[]): IndexSegment {
  const records = listings.flatMap(([, chunks], number) =>
    chunks.map(({ id, offset, storedLength, session, type }) => {
      const record = Buffer.alloc(RECORD_BYTES);
      id.copy(record, 0, 0, 16);
      record.writeUInt32LE(number, 16);
      record.writeUInt32LE(offset, 20);
      record.writeUInt32LE(storedLength, 24);
      record.writeUInt32LE(1, 28);
      record.writeUInt16LE(session, 32);
      record[34] = type;
      return record;
    }),
  );
  return { packs: listings.map(([of]) => of), records: Buffer.concat(records) };
}

const NOTHING: ReadonlySet<string> = new Set();
const placeText = (place: ChunkPlace): string =>
  `${place.pack} ${place.offset} ${place.storedLength} ${place.session} ${place.type}`;

/** Ids that share first words, whole first halves, or lie at the end of the table: everything that makes chains. */
const id = fc
  .tuple(
    fc.constantFrom(0, 1, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff, 0xdead_beef),
    fc.nat(2),
    fc.constantFrom(0, 0xff),
    fc.nat(1),
  )
  .map(([first, second, third, tail]) => {
    const bytes = Buffer.alloc(32, tail);
    bytes.writeUInt32LE(first, 0);
    bytes.writeUInt32LE(second, 4);
    bytes.fill(third, 8, 16);
    return bytes;
  });
const chunk = fc.record({
  id,
  offset: fc.integer({ min: 0, max: LIMITS.packBytes - 1001 }),
  storedLength: fc.integer({ min: 34, max: LIMITS.chunkBytes + LIMITS.sealOverheadBytes }),
  session: fc.nat(LIMITS.packSessions - 1),
  type: fc.constantFrom<1 | 2 | 3>(1, 2, 3),
});
const listings = fc.array(fc.array(fc.tuple(fc.nat(5), fc.array(chunk, { maxLength: 12 })), { maxLength: 4 }), {
  maxLength: 4,
});

describe('ChunkIndex', () => {
  it('agrees with a map, whatever segments and packs there are', () => {
    fc.assert(
      fc.property(listings, fc.uniqueArray(fc.nat(5)), fc.array(id), (segments, swept, strangers) => {
        const sweptNames = new Set(swept.map((number) => pack(number).name));
        const index = ChunkIndex.build(
          segments.map((packs) => segment(packs.map(([number, chunks]): Listing => [pack(number), chunks]))),
          sweptNames,
        );
        // By pack name, since packs are numbered in the order that they are met.
        const oracle = new Map<string, Set<string>>();
        for (const [number, chunks] of segments.flat()) {
          if (swept.includes(number)) continue;
          const at = index.packs.findIndex(({ name }) => name === pack(number).name);
          for (const { id: chunkId, offset, ...place } of chunks) {
            const half = toHex(chunkId.subarray(0, 16));
            const places = oracle.get(half) ?? new Set();
            oracle.set(half, places.add(placeText({ ...place, pack: at, offset: 1000 + offset, damaged: false })));
          }
        }
        const asked = [...segments.flat().flatMap(([, chunks]) => chunks.map((item) => item.id)), ...strangers];
        for (const wanted of asked) {
          const expected = oracle.get(toHex(wanted.subarray(0, 16)));
          expect(index.has(wanted)).toBe(expected !== undefined);
          expect(index.places(wanted).map(placeText).sort()).toEqual([...(expected ?? [])].sort());
          const found = index.find(wanted);
          expect(found !== undefined && expected?.has(placeText(found))).toBe(expected !== undefined);
        }
        expect(index.size).toBe([...oracle.values()].reduce((sum, places) => sum + places.size, 0));
      }),
    );
  });

  it('of nothing knows nothing', () => {
    for (const segments of [[], [segment([])], [segment([[pack(0), []]])]]) {
      const index = ChunkIndex.build(segments, NOTHING);
      expect([index.size, index.has(Buffer.alloc(32)), index.use(Buffer.alloc(32)), index.usedPacks()]).toEqual([
        0,
        false,
        false,
        [],
      ]);
    }
  });

  it('takes at most 32 bytes for a chunk, and a fixed few more', () => {
    const count = 50_000;
    const ids = pseudoRandomBytes('many ids', 32 * count);
    const chunks = Array.from({ length: count }, (_, i): Listed => ({
      id: ids.subarray(32 * i, 32 * i + 32),
      offset: i,
      storedLength: 100,
      session: i % 1024,
      type: 2,
    }));
    const index = ChunkIndex.build([segment([[pack(0), chunks]])], NOTHING);
    expect(index.size).toBe(count);
    expect(index.shared.slots.byteLength).toBeLessThanOrEqual(32 * count + 64);
    const missed = chunks.filter(({ id: wanted }, i) => index.find(wanted)?.offset !== 1000 + i);
    expect(missed).toEqual([]);
    const strangers = pseudoRandomBytes('strangers', 32 * 10_000);
    for (let at = 0; at < strangers.length; at += 32) {
      if (index.has(strangers.subarray(at, at + 32))) throw new Error('a stranger is found');
    }
  });

  it('cannot be made to forget by a segment that says less, or something else, of a pack', () => {
    const wanted: Listed = { id: Buffer.alloc(32, 7), offset: 5, storedLength: 40, session: 0, type: 2 };
    const good = segment([[pack(0), [wanted]]]);
    const silent = segment([[pack(0), []]]);
    const shifted = segment([[{ ...pack(0), dataStart: 2000 }, [wanted]]]);
    const foreign = segment([[{ ...pack(0), sessions: SESSIONS.slice(1) }, [wanted]]]);
    for (const hostile of [silent, shifted, foreign]) {
      for (const segments of [
        [hostile, good],
        [good, hostile],
        [hostile, hostile, good, hostile],
      ]) {
        const index = ChunkIndex.build(segments, NOTHING);
        const places = index.places(wanted.id).map((place) => ({ ...place, of: index.packs[place.pack] }));
        expect(places.some(({ offset, of }) => offset === 1005 && of?.sessions.length === SESSIONS.length)).toBe(true);
      }
    }
    // The same pack in two segments, as while segments are merged, is there once.
    const twice = ChunkIndex.build(
      [
        good,
        segment([
          [pack(1), []],
          [pack(0), [wanted]],
        ]),
      ],
      NOTHING,
    );
    expect([twice.size, twice.places(wanted.id).length]).toEqual([1, 1]);
  });

  it('takes places that are noted as damaged last, and never as stored', () => {
    const wanted: Listed = { id: Buffer.alloc(32, 1), offset: 7, storedLength: 40, session: 1023, type: 2 };
    const other: Listed = { ...wanted, id: Buffer.alloc(32, 2), offset: 8 };
    const both = [
      segment([
        [pack(0), [wanted, other]],
        [pack(1), [wanted]],
      ]),
    ];
    const placesOf = (index: ChunkIndex, { id: of }: Listed): (readonly [string, boolean])[] =>
      index.places(of).map((place) => [index.packs[place.pack]?.name ?? '', place.damaged] as const);
    const one = ChunkIndex.build(both, NOTHING, NOTHING, new Map([[pack(0).name, new Set([1007])]]));
    expect(placesOf(one, wanted)).toEqual([
      [pack(1).name, false],
      [pack(0).name, true],
    ]);
    expect(one.find(wanted.id)).toMatchObject({ damaged: false, session: 1023, offset: 1007 });
    expect([one.use(wanted.id), one.usedPacks()]).toEqual([true, [pack(1).name]]);
    expect([one.use(other.id), one.usedPacks().length]).toEqual([true, 2]);

    const all = ChunkIndex.build(both, NOTHING, NOTHING, new Map([[pack(0).name, 'all' as const]]));
    expect([all.use(other.id), all.has(other.id), all.usedPacks()]).toEqual([false, true, []]);
    expect(all.find(other.id)).toMatchObject({ damaged: true, session: 1023, offset: 1008 });
  });

  it('takes a chunk from a pack that is not condemned, if there is one', () => {
    const one: Listed = { id: Buffer.alloc(32, 1), offset: 0, storedLength: 40, session: 0, type: 2 };
    const two: Listed = { ...one, id: Buffer.alloc(32, 2) };
    const listed = segment([
      [pack(0), [one, two]],
      [pack(1), [one]],
    ]);
    const index = ChunkIndex.build([listed], NOTHING, new Set([pack(0).name]));
    expect([index.use(one.id), index.usedPacks()]).toEqual([true, [pack(1).name]]);
    expect([index.use(two.id), index.usedPacks().length]).toEqual([true, 2]);
    index.clearUsedPacks();
    expect([index.use(one.id), index.usedPacks()]).toEqual([true, [pack(1).name]]);
  });

  it('grows when there is more than was expected', () => {
    const chunks = Array.from({ length: 500 }, (_, i): Listed => {
      return {
        id: Buffer.from(pseudoRandomBytes(`grown ${i}`, 32)),
        offset: 40 * i,
        storedLength: 40,
        session: 0,
        type: 2,
      };
    });
    const builder = new ChunkIndexBuilder(0, NOTHING, NOTHING);
    builder.add(segment([[pack(0), chunks]]));
    const index = builder.finish();
    expect(index.size).toBe(500);
    expect(chunks.map(({ id: of }) => index.find(of)?.offset)).toEqual(chunks.map(({ offset }) => 1000 + offset));
  });

  it('remembers which packs a run used, across threads that share it', () => {
    const one: Listed = { id: Buffer.alloc(32, 1), offset: 0, storedLength: 40, session: 0, type: 2 };
    const two: Listed = { ...one, id: Buffer.alloc(32, 2) };
    const index = ChunkIndex.build(
      [
        segment([
          [pack(0), [one]],
          [pack(1), [two]],
          [pack(2), []],
        ]),
      ],
      NOTHING,
    );
    expect(index.usedPacks()).toEqual([]);
    expect(index.use(Buffer.alloc(32, 3))).toBe(false);
    // What another thread does with the same memory.
    expect(new IndexLookup(structuredClone(index.shared)).use(two.id)).toBe(true);
    expect(index.usedPacks()).toEqual([pack(1).name]);
    expect(index.has(one.id)).toBe(true);
    expect(index.usedPacks()).toEqual([pack(1).name]);
    index.use(one.id);
    expect(index.usedPacks().sort()).toEqual([pack(0).name, pack(1).name].sort());
    index.clearUsedPacks();
    expect(index.usedPacks()).toEqual([]);
  });
});
