import { describe, expect, it } from 'vitest';

import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { invariant } from '../errors.ts';
import { toHex } from '../ids.ts';
import { PACK_TARGET } from '../limits.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { SAMPLE_KEYS, SAMPLE_REPO } from '../testing/sample-keys.ts';
import { PackBuilder, type BuiltPack } from './builder.ts';
import { decodePackHeader, PACK_KIND, readPackRecord } from './layout.ts';
import { padmeLength } from './padme.ts';

const { loc } = SAMPLE_KEYS;
invariant(loc !== undefined, 'a root key has everything');
const KEYS = { repo: SAMPLE_REPO, loc };
let calls = 0;
const random = { bytes: (length: number): Uint8Array => pseudoRandomBytes(`pack builder ${calls++}`, length) };
const SESSION = { sid: random.bytes(16), epk: random.bytes(32) };

interface Chunk {
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly rawLength: number;
  readonly sealed: Uint8Array;
}

function chunk(type: ChunkType, length: number): Chunk {
  return { type, id: random.bytes(32), rawLength: length - 33, sealed: Buffer.alloc(length, random.bytes(1)) };
}

function add(builder: PackBuilder, { type, id, rawLength, sealed }: Chunk): void {
  builder.reserve(type, id, rawLength, sealed.length).set(sealed);
}

/** The chunks of a pack by id, and whether they lie in the order that they were added. */
function chunksOf(pack: BuiltPack): Map<string, Chunk & { readonly offset: number }> {
  const { object, dataStart } = pack;
  expect(pack.name).toBe(toHex(suite.sha256(object)));
  expect(object.byteOffset).toBe(0);
  const header = decodePackHeader(suite, KEYS, object, object.length, 'a pack');
  expect(header).toMatchObject({ kind: pack.kind, dataStart });
  expect(header.sessions.map(({ sid, epk }) => [...sid, ...epk])).toEqual([[...SESSION.sid, ...SESSION.epk]]);
  expect(header.records.equals(pack.records)).toBe(true);
  const found = new Map<string, Chunk & { readonly offset: number }>();
  for (let i = 0; i < header.records.length / 48; i++) {
    const { type, id, rawLength, offset, storedLength } = readPackRecord(header.records, i);
    const sealed = object.subarray(dataStart + offset, dataStart + offset + storedLength);
    found.set(toHex(id), { type, id, rawLength, sealed, offset });
  }
  return found;
}

function expectHolds(pack: BuiltPack, chunks: readonly Chunk[]): void {
  const found = chunksOf(pack);
  expect(found.size).toBe(chunks.length);
  for (const { id, type, rawLength, sealed } of chunks) {
    const there = found.get(toHex(id));
    expect(there).toMatchObject({ type, rawLength });
    expect(Buffer.compare(there?.sealed ?? Buffer.alloc(0), sealed)).toBe(0);
  }
}

describe('PackBuilder', () => {
  it('holds what was added, back to back, in another order', () => {
    const builder = new PackBuilder(suite, random, KEYS, PACK_KIND.tree, SESSION);
    expect(builder.empty).toBe(true);
    const chunks = Array.from({ length: 200 }, (_, i) => chunk(i % 3 === 0 ? 3 : 2, 34 + i));
    for (const item of chunks) add(builder, item);
    expect(builder.empty || builder.full).toBe(false);
    const pack = builder.finish(false);
    expectHolds(pack, chunks);
    const total = chunks.reduce((sum, { sealed }) => sum + sealed.length, 0);
    expect(pack.object.length).toBe(pack.dataStart + total);
    const order = [...chunksOf(pack).values()].sort((a, b) => a.offset - b.offset).map(({ id }) => toHex(id));
    const added = chunks.map(({ id }) => toHex(id));
    expect(order).not.toEqual(added);
    // Most chunks must have moved, far and near: a shuffle that only swaps neighbours would tell the order.
    const moved = order.map((id, i) => Math.abs(added.indexOf(id) - i));
    expect(moved.filter((far) => far > 20).length).toBeGreaterThan(100);
    expect(builder.empty).toBe(true);
  });

  it('is full at the target of its kind', () => {
    for (const [kind, type, target] of [
      [PACK_KIND.data, 1, PACK_TARGET.data],
      [PACK_KIND.tree, 2, PACK_TARGET.tree],
    ] as const) {
      const builder = new PackBuilder(suite, random, KEYS, kind, SESSION);
      const half = chunk(type, target / 2);
      add(builder, half);
      expect(builder.full).toBe(false);
      const rest = chunk(type, target / 2);
      add(builder, rest);
      expect(builder.full).toBe(true);
      expectHolds(builder.finish(false), [half, rest]);
    }
  });

  it('takes more than its target when it is not finished in time', () => {
    const builder = new PackBuilder(suite, random, KEYS, PACK_KIND.tree, SESSION);
    const chunks = Array.from({ length: 7 }, () => chunk(2, 8 * 1024 * 1024));
    for (const item of chunks) add(builder, item);
    expectHolds(builder.finish(true), chunks);
  });

  it('pads the last pack of a run with random bytes, never with what its memory held before', () => {
    const builder = new PackBuilder(suite, random, KEYS, PACK_KIND.tree, SESSION);
    const secret = chunk(2, 100_000);
    const first = { ...secret, sealed: Buffer.alloc(100_000, 'secret') };
    add(builder, first);
    const before = builder.finish(false);
    expectHolds(before, [first]);
    builder.recycle(before.object.buffer as ArrayBuffer);
    const small = chunk(2, 50_001);
    add(builder, small);
    const last = builder.finish(true);
    expect(last.object.buffer).toBe(before.object.buffer);
    expectHolds(last, [small]);
    const used = last.dataStart + small.sealed.length;
    expect(last.object.length).toBe(padmeLength(used));
    expect(last.object.length).toBeGreaterThan(used);
    expect(Buffer.from(last.object.subarray(used)).includes('secret')).toBe(false);
    expect(new Set(last.object.subarray(used)).size).toBeGreaterThan(100);
  });

  it('makes another pack with another salt each time', () => {
    const builder = new PackBuilder(suite, random, KEYS, PACK_KIND.data, SESSION);
    const item = chunk(1, 40);
    add(builder, item);
    const first = Buffer.from(builder.finish(false).object);
    add(builder, item);
    const second = builder.finish(false).object;
    expect(first.subarray(24, 40).equals(second.subarray(24, 40))).toBe(false);
  });
});
