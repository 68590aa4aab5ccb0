import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { seal } from '../crypto/seal.ts';
import { invariant } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { SAMPLE_KEYS, SAMPLE_REPO, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import {
  decodePackHeader,
  encodePackHeader,
  PACK_PREFIX_BYTES,
  PACK_RECORD_BYTES,
  packDataStart,
  packHeaderLength,
  readPackRecord,
  writePackRecord,
  type PackHeader,
  type PackKind,
  type PackRecord,
} from './layout.ts';

const { loc } = SAMPLE_KEYS;
invariant(loc !== undefined, 'a root key has everything');
const KEYS = { repo: SAMPLE_REPO, loc };
const random = seededRandom('pack layout');
const session = (): { sid: Uint8Array; epk: Uint8Array } => ({ sid: random.bytes(16), epk: random.bytes(32) });

function recordsOf(records: readonly PackRecord[]): Buffer {
  const bytes = Buffer.alloc(PACK_RECORD_BYTES * records.length);
  records.forEach((record, i) => writePackRecord(bytes, i, record));
  return bytes;
}

/** What only a holder of `loc` can make: a header of any content. Followed by `room` bytes where chunks are. */
function forged(plaintext: Uint8Array, room: number, change: (head: Buffer) => void = () => undefined): Buffer {
  const head = Buffer.alloc(96);
  head.write('CRNP\x01\x02', 'latin1');
  head.set(SAMPLE_REPO, 8);
  const salt = random.bytes(16);
  head.set(salt, 24);
  head.writeUInt16LE(1, 40);
  head.writeUInt32LE(plaintext.length + 28, 44);
  head.set(random.bytes(48), 48);
  change(head);
  const key = suite.secretKey(suite.hkdf(KEYS.loc, salt, label('pack header')));
  const sealed = seal(suite, random, key, plaintext, Buffer.concat([label('pack'), head]));
  return Buffer.concat([head, sealed, Buffer.alloc(room)]);
}

const RECORD: PackRecord = { type: 2, session: 0, offset: 0, storedLength: 50, rawLength: 17, id: Buffer.alloc(32, 7) };
const NEXT: PackRecord = { ...RECORD, type: 3, offset: 50, id: Buffer.alloc(32, 8) };

function headerBytes(records: readonly Partial<PackRecord>[], count = records.length): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(count);
  return Buffer.concat([bytes, recordsOf(records.map((record) => ({ ...RECORD, ...record })))]);
}

const decode = (object: Uint8Array, size = object.length): PackHeader =>
  decodePackHeader(suite, KEYS, object, size, 'a pack');

describe('a pack header', () => {
  it('says what was written', () => {
    const chunk = fc.record({
      storedLength: fc.integer({ min: 34, max: 3000 }),
      rawLength: fc.integer({ min: 1, max: LIMITS.chunkBytes }),
      meta: fc.constantFrom<ChunkType>(2, 3),
      session: fc.nat(),
      id: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom<PackKind>(1, 2),
        fc.integer({ min: 1, max: 20 }),
        fc.array(chunk, { maxLength: 30 }),
        (kind, sessionCount, chunks) => {
          const sessions = Array.from({ length: sessionCount }, session);
          let offset = 0;
          const records = chunks.map(({ storedLength, rawLength, meta, session: number, id }): PackRecord => {
            const place = { offset, storedLength, rawLength, id: Buffer.from(id) };
            offset += storedLength;
            return { ...place, type: kind === 1 ? 1 : meta, session: number % sessionCount };
          });
          const header = encodePackHeader(suite, random, KEYS, { kind, sessions, records: recordsOf(records) });
          expect(header.length).toBe(packDataStart(sessions.length, records.length));
          expect(packHeaderLength(header.subarray(0, PACK_PREFIX_BYTES), 'a pack')).toBe(header.length);
          const decoded = decode(header, header.length + offset);
          expect(decoded.dataStart).toBe(header.length);
          expect(decoded.kind).toBe(kind);
          expect(decoded.sessions.map(({ sid, epk }) => [...sid, ...epk])).toEqual(
            sessions.map(({ sid, epk }) => [...sid, ...epk]),
          );
          expect(records.map((_, i) => readPackRecord(decoded.records, i))).toEqual(records);
          if (offset > 0) expect(refusal(() => decode(header, header.length + offset - 1))).toBe('CORRUPT');
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is refused after any change, and when it is cut short', () => {
    const object = forged(headerBytes([RECORD, NEXT]), 100);
    expect(decode(object).records.length).toBe(96);
    const dataStart = object.length - 100;
    for (const { what, bytes } of mutationsOf(object.subarray(0, dataStart))) {
      if (bytes.length > dataStart) continue;
      expect(
        refusal(() => decode(bytes, object.length)),
        what,
      ).not.toBe('accepted');
    }
    // Padding: the object may be longer than its chunks.
    expect(refusal(() => decode(object, object.length + 1000))).toBe('accepted');
  });

  it('whose content is changed, by somebody who can seal it, is refused or is canonical', () => {
    const original = headerBytes([RECORD, NEXT]);
    for (const { what, bytes } of mutationsOf(original)) {
      const answer = readOrRefuse(() => decode(forged(bytes, 100)));
      if ('value' in answer) expect(answer.value.records.equals(bytes.subarray(4)), what).toBe(true);
    }
  });

  it('is refused for what cannot be', () => {
    const bad: readonly (readonly [string, Buffer])[] = [
      ['a type of another kind of pack', headerBytes([{ ...RECORD, type: 1 }])],
      ['an unknown type', headerBytes([{ ...RECORD, type: 4 as ChunkType }])],
      ['no type', headerBytes([{ ...RECORD, type: 0 as ChunkType }])],
      ['a session that is not there', headerBytes([{ ...RECORD, session: 1 }])],
      ['a chunk that ends outside', headerBytes([{ ...RECORD, storedLength: 101 }])],
      ['a chunk that begins outside', headerBytes([{ ...RECORD, offset: 0xffff_ffff }])],
      ['a chunk shorter than its seal', headerBytes([{ ...RECORD, storedLength: 33 }])],
      ['an empty chunk', headerBytes([{ ...RECORD, rawLength: 0 }])],
      ['a chunk that is too long', headerBytes([{ ...RECORD, rawLength: LIMITS.chunkBytes + 1 }])],
      ['a count below the records', headerBytes([RECORD, NEXT], 1)],
      ['a count above the records', headerBytes([RECORD, NEXT], 3)],
      ['a count beyond all bounds', headerBytes([RECORD, NEXT], 0xffff_ffff)],
      ['half a record', headerBytes([RECORD, NEXT]).subarray(0, 80)],
      ['no count', Buffer.alloc(3)],
    ];
    for (const [what, plaintext] of bad)
      expect(
        refusal(() => decode(forged(plaintext, 100))),
        what,
      ).toBe('CORRUPT');
    const reserved = headerBytes([RECORD]);
    reserved[5] = 1;
    expect(refusal(() => decode(forged(reserved, 100)))).toBe('CORRUPT');
    const long = headerBytes([{ ...RECORD, storedLength: LIMITS.chunkBytes + LIMITS.sealOverheadBytes + 1 }]);
    expect(refusal(() => decode(forged(long, 0), 2 * LIMITS.chunkBytes))).toBe('CORRUPT');
    expect(refusal(() => decode(forged(headerBytes([RECORD]), 100), LIMITS.packBytes + 1))).toBe('CORRUPT');
  });

  it('is refused for a prefix that cannot be', () => {
    const heads: readonly (readonly [string, (head: Buffer) => void])[] = [
      ['another magic', (head) => head.write('CRNI', 'latin1')],
      ['an unknown kind', (head) => void (head[5] = 3)],
      ['no kind', (head) => void (head[5] = 0)],
      ['reserved bytes', (head) => void (head[6] = 1)],
      ['more reserved bytes', (head) => void (head[43] = 1)],
      ['another repository', (head) => void (head[8] = 1)],
      ['no sessions', (head) => void head.writeUInt16LE(0, 40)],
      ['too many sessions', (head) => void head.writeUInt16LE(1025, 40)],
      ['a header that is too short', (head) => void head.writeUInt32LE(31, 44)],
      ['a header that is too long', (head) => void head.writeUInt32LE(0xffff_ffff, 44)],
    ];
    for (const [what, change] of heads) {
      expect(
        refusal(() => decode(forged(headerBytes([RECORD]), 100, change))),
        what,
      ).toBe('CORRUPT');
    }
    const newer = forged(headerBytes([RECORD]), 100, (head) => void (head[4] = 2));
    expect(refusal(() => decode(newer))).toBe('FORMAT_UNSUPPORTED');
  });

  it('may list no chunk at all', () => {
    expect(decode(forged(headerBytes([]), 0))).toMatchObject({ kind: 2, dataStart: packDataStart(1, 0) });
  });

  it('is refused by who holds another location key or repository', () => {
    const object = forged(headerBytes([RECORD]), 100);
    const wrong = { repo: SAMPLE_REPO, loc: Buffer.alloc(32) };
    expect(refusal(() => decodePackHeader(suite, wrong, object, object.length, 'a pack'))).toBe('CORRUPT');
    const other = { repo: Buffer.alloc(16), loc: KEYS.loc };
    expect(refusal(() => decodePackHeader(suite, other, object, object.length, 'a pack'))).toBe('CORRUPT');
  });
});
