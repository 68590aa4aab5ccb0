import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { seal } from '../crypto/seal.ts';
import { invariant, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { PACK_RECORD_BYTES, packDataStart, writePackRecord } from '../pack/layout.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { SAMPLE_KEYS, SAMPLE_REPO, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import {
  decodeSegment,
  encodeSegment,
  listingBytes,
  RECORD_BYTES,
  type IndexSegment,
  type PackListing,
} from './segment.ts';

const { loc } = SAMPLE_KEYS;
invariant(loc !== undefined, 'a root key has everything');
const KEYS = { repo: SAMPLE_REPO, loc };
const random = seededRandom('index segment');

interface Listed {
  readonly id: Uint8Array;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly session: number;
  readonly type: ChunkType;
}

const listing = fc
  .record({
    kind: fc.constantFrom(1 as const, 2 as const),
    sessions: fc.integer({ min: 1, max: 4 }),
    padding: fc.nat(1000),
    chunks: fc.array(
      fc.record({
        // Few first bytes, so that ids are alike and even equal between packs.
        id: fc.tuple(fc.nat(3), fc.nat(2)).map(([a, b]) => Buffer.concat([Buffer.alloc(15, a), Buffer.alloc(17, b)])),
        storedLength: fc.integer({ min: 34, max: 5000 }),
        rawLength: fc.integer({ min: 1, max: LIMITS.chunkBytes }),
        session: fc.nat(),
        meta: fc.constantFrom<ChunkType>(2, 3),
      }),
      { maxLength: 12 },
    ),
  })
  .map(({ kind, sessions, padding, chunks }): { listing: PackListing; chunks: Listed[] } => {
    const records = Buffer.alloc(PACK_RECORD_BYTES * chunks.length);
    const dataStart = packDataStart(sessions, chunks.length);
    let offset = 0;
    const listed = chunks.map(({ id, storedLength, rawLength, session, meta }, i): Listed => {
      const chunk: Listed = { id, storedLength, rawLength, session: session % sessions, type: kind === 1 ? 1 : meta };
      writePackRecord(records, i, { ...chunk, offset });
      offset += storedLength;
      return chunk;
    });
    const sizeBytes = dataStart + offset + padding;
    const table = Array.from({ length: sessions }, () => ({ sid: random.bytes(16), epk: random.bytes(32) }));
    const name = toHex(random.bytes(32));
    return { listing: { name, sizeBytes, dataStart, kind, sessions: table, records }, chunks: listed };
  });

const decode = (object: Uint8Array): IndexSegment => decodeSegment(suite, KEYS, object, 'a segment');

/** What only a holder of `loc` can make: a segment of any content. */
function forged(plaintext: Uint8Array, change: (prefix: Buffer) => void = () => undefined): Buffer {
  const prefix = Buffer.alloc(40);
  prefix.write('CRNI\x01', 'latin1');
  prefix.set(SAMPLE_REPO, 8);
  const salt = random.bytes(16);
  prefix.set(salt, 24);
  change(prefix);
  const key = suite.secretKey(suite.hkdf(KEYS.loc, salt, label('index segment')));
  return Buffer.concat([prefix, seal(suite, random, key, plaintext, Buffer.concat([label('index'), prefix]))]);
}

interface Parts {
  readonly counts: readonly number[];
  readonly pack: Readonly<Record<'size' | 'dataStart' | 'first' | 'sessions' | 'kind' | 'zero', number>>;
  readonly records: readonly Readonly<
    Record<'id' | 'pack' | 'offset' | 'stored' | 'raw' | 'session' | 'type' | 'zero', number>
  >[];
}

const GOOD: Parts = {
  counts: [1, 1, 2, 0],
  pack: { size: 1000, dataStart: 200, first: 0, sessions: 1, kind: 2, zero: 0 },
  records: [
    { id: 1, pack: 0, offset: 0, stored: 50, raw: 5, session: 0, type: 2, zero: 0 },
    { id: 2, pack: 0, offset: 50, stored: 750, raw: 5, session: 0, type: 3, zero: 0 },
  ],
};

function plaintextOf({ counts, pack, records }: Parts): Buffer {
  const bytes = Buffer.alloc(16 + 48 + 48 + RECORD_BYTES * records.length);
  counts.forEach((count, i) => bytes.writeUInt32LE(count, 4 * i));
  bytes.fill(0xaa, 16, 48);
  bytes.writeUInt32LE(pack.size, 48);
  bytes.writeUInt32LE(pack.dataStart, 52);
  bytes.writeUInt32LE(pack.first, 56);
  bytes.writeUInt16LE(pack.sessions, 60);
  bytes[62] = pack.kind;
  bytes[63] = pack.zero;
  bytes.fill(0xbb, 64, 112);
  records.forEach((record, i) => {
    const at = 112 + RECORD_BYTES * i;
    bytes.fill(record.id, at, at + 16);
    bytes.writeUInt32LE(record.pack, at + 16);
    bytes.writeUInt32LE(record.offset, at + 20);
    bytes.writeUInt32LE(record.stored, at + 24);
    bytes.writeUInt32LE(record.raw, at + 28);
    bytes.writeUInt16LE(record.session, at + 32);
    bytes[at + 34] = record.type;
    bytes[at + 35] = record.zero;
  });
  return bytes;
}

describe('an index segment', () => {
  it('says what was written, sorted', () => {
    fc.assert(
      fc.property(fc.array(listing, { maxLength: 5 }), (packs) => {
        const object = encodeSegment(
          suite,
          random,
          KEYS,
          packs.map((pack) => pack.listing),
        );
        const size = packs.reduce((sum, pack) => sum + listingBytes(pack.listing), 0);
        expect(object.length).toBe(40 + 28 + 16 + size);
        const segment = decode(object);
        expect(segment.packs.map(({ name, sizeBytes, dataStart, kind }) => [name, sizeBytes, dataStart, kind])).toEqual(
          packs.map(({ listing: { name, sizeBytes, dataStart, kind } }) => [name, sizeBytes, dataStart, kind]),
        );
        segment.packs.forEach((pack, i) => {
          expect(pack.sessions.map(({ sid, epk }) => toHex(sid) + toHex(epk))).toEqual(
            packs[i]?.listing.sessions.map(({ sid, epk }) => toHex(sid) + toHex(epk)),
          );
        });
        const expected = packs.flatMap(({ chunks }, pack) => {
          let offset = 0;
          return chunks.map(({ id, storedLength, rawLength, session, type }) => {
            const at = offset;
            offset += storedLength;
            return { id: toHex(id.subarray(0, 16)), pack, offset: at, storedLength, rawLength, session, type };
          });
        });
        expected.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : a.pack - b.pack || a.offset - b.offset));
        const found = Array.from({ length: segment.records.length / RECORD_BYTES }, (_, i) => {
          const record = segment.records.subarray(RECORD_BYTES * i);
          return {
            id: record.toString('hex', 0, 16),
            pack: record.readUInt32LE(16),
            offset: record.readUInt32LE(20),
            storedLength: record.readUInt32LE(24),
            rawLength: record.readUInt32LE(28),
            session: record.readUInt16LE(32),
            type: record[34],
          };
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('is refused after any change', () => {
    for (const { what, bytes } of mutationsOf(forged(plaintextOf(GOOD)))) {
      expect(
        refusal(() => decode(bytes)),
        what,
      ).not.toBe('accepted');
    }
  });

  it('whose content is changed, by somebody who can seal it, is refused or holds only what can be', () => {
    expect(decode(forged(plaintextOf(GOOD))).packs.length).toBe(1);
    for (const { what, bytes } of mutationsOf(plaintextOf(GOOD))) {
      const answer = readOrRefuse(() => decode(forged(bytes)));
      if ('refused' in answer) continue;
      const { packs, records } = answer.value;
      expect(records.equals(bytes.subarray(112)), what).toBe(true);
      for (let at = 0; at < records.length; at += RECORD_BYTES) {
        const pack = packs[records.readUInt32LE(at + 16)];
        const end = (pack?.dataStart ?? 0) + records.readUInt32LE(at + 20) + records.readUInt32LE(at + 24);
        expect(end, what).toBeLessThanOrEqual(pack?.sizeBytes ?? 0);
        expect(pack?.sessions[records.readUInt16LE(at + 32)], what).toBeDefined();
      }
    }
  });

  it('is refused for what cannot be', () => {
    const [first, second] = GOOD.records;
    invariant(first !== undefined && second !== undefined, 'the sample has two records');
    const inPack = (change: Partial<Parts['pack']>): Parts => ({ ...GOOD, pack: { ...GOOD.pack, ...change } });
    const inRecord = (change: Partial<typeof second>): Parts => ({
      ...GOOD,
      records: [first, { ...second, ...change }],
    });
    const bad: readonly Parts[] = [
      inPack({ size: 999 }),
      inPack({ size: LIMITS.packBytes + 1 }),
      inPack({ dataStart: 201 }),
      inPack({ dataStart: packDataStart(1, 0) - 1 }),
      inPack({ dataStart: 1001 }),
      inPack({ first: 1 }),
      inPack({ first: 0xffff_ffff }),
      inPack({ sessions: 0 }),
      inPack({ sessions: 2 }),
      inPack({ kind: 0 }),
      inPack({ kind: 1 }),
      inPack({ kind: 3 }),
      inPack({ zero: 1 }),
      inRecord({ id: 0 }),
      inRecord({ pack: 1 }),
      inRecord({ offset: 51 }),
      inRecord({ offset: 0xffff_ffff }),
      inRecord({ stored: 33 }),
      inRecord({ stored: 751 }),
      inRecord({ raw: 0 }),
      inRecord({ raw: LIMITS.chunkBytes + 1 }),
      inRecord({ session: 1 }),
      inRecord({ type: 1 }),
      inRecord({ type: 4 }),
      inRecord({ zero: 1 }),
      { ...GOOD, records: [second, first] },
      { ...GOOD, records: [first, first] },
      { ...GOOD, counts: [1, 1, 1, 0] },
      { ...GOOD, counts: [1, 1, 3, 0] },
      { ...GOOD, counts: [2, 0, 2, 0] },
      { ...GOOD, counts: [0, 2, 2, 0] },
      { ...GOOD, counts: [1, 1, 2, 1] },
      { ...GOOD, counts: [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0] },
    ];
    for (const parts of bad) {
      expect(
        refusal(() => decode(forged(plaintextOf(parts)))),
        JSON.stringify(parts),
      ).toBe('CORRUPT');
    }
    // The same half id again is fine at a later place.
    expect(refusal(() => decode(forged(plaintextOf(inRecord({ id: 1 })))))).toBe('accepted');
    expect(refusal(() => decode(forged(Buffer.alloc(15))))).toBe('CORRUPT');
    expect(refusal(() => decode(forged(Buffer.alloc(16))))).toBe('accepted');
  });

  it('is refused for a prefix that cannot be', () => {
    const plaintext = plaintextOf(GOOD);
    for (const change of [
      (prefix: Buffer) => prefix.write('CRNP', 'latin1'),
      (prefix: Buffer) => void (prefix[5] = 1),
      (prefix: Buffer) => void (prefix[7] = 1),
      (prefix: Buffer) => void (prefix[8] = 1),
    ]) {
      expect(refusal(() => decode(forged(plaintext, change)))).toBe('CORRUPT');
    }
    expect(refusal(() => decode(forged(plaintext, (prefix) => void (prefix[4] = 2))))).toBe('FORMAT_UNSUPPORTED');
    const other = { repo: SAMPLE_REPO, loc: Buffer.alloc(32) };
    expect(refusal(() => decodeSegment(suite, other, forged(plaintext), 'a segment'))).toBe('CORRUPT');
  });

  it('keeps to its limit, both ways', () => {
    const count = (LIMITS.indexBytes - 16) / RECORD_BYTES;
    const pack = {
      name: 'ab'.repeat(32),
      sizeBytes: LIMITS.packBytes,
      dataStart: 4000,
      kind: 1 as const,
      sessions: [],
    };
    const records = Buffer.alloc(PACK_RECORD_BYTES * Math.ceil(count));
    expect(() => encodeSegment(suite, random, KEYS, [{ ...pack, records }])).toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'LIMIT_EXCEEDED')),
    );
    const object = Buffer.alloc(LIMITS.indexBytes + 69);
    forged(Buffer.alloc(16)).copy(object);
    expect(() => decode(object)).toThrow(/too large/);
    expect(() => decode(object.subarray(0, -1))).toThrow(/does not open/);
  });
});
