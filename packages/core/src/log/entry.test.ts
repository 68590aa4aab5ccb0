import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { label } from '../crypto/labels.ts';
import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { seal } from '../crypto/seal.ts';
import { invariant, isCairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { SAMPLE_KEYS, SAMPLE_TIME_NS, seededRandom } from '../testing/sample-keys.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { decodeLogFrame, encodeLogFrame, readLogFrame, type LogFrame } from './entry.ts';

const { log: KEY } = SAMPLE_KEYS;
invariant(KEY !== undefined, 'a root key has everything');
const random = seededRandom('log frame');
const FRAME: LogFrame = {
  kind: 9,
  seq: 7,
  previous: Buffer.alloc(32, 5),
  timeNs: SAMPLE_TIME_NS,
  publicPart: Buffer.from('9190', 'hex'),
  sealedPart: Buffer.from('90', 'hex'),
};

const encode = (frame: Partial<LogFrame> = {}): Buffer =>
  Buffer.from(encodeLogFrame(suite, random, KEY, { ...FRAME, ...frame }));
const decode = (object: Uint8Array): LogFrame => decodeLogFrame(suite, KEY, object, 'a log entry');

/** A frame whose head was changed before its sealed part was bound to it: only a holder of the log key can make it. */
function forged(change: (head: Buffer) => void): Buffer {
  const head = Buffer.from(encode().subarray(0, 82));
  change(head);
  const key = suite.secretKey(suite.hkdf(KEY as Uint8Array, head.subarray(56, 72), label('log entry')));
  return Buffer.concat([head, seal(suite, random, key, FRAME.sealedPart, Buffer.concat([label('log'), head]))]);
}

describe('the frame of a log entry', () => {
  it('says what was written', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
    const frame = fc.record({
      kind: fc.nat(255),
      seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      previous: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array)),
      timeNs: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      publicPart: bytes,
      sealedPart: bytes,
    });
    fc.assert(
      fc.property(frame, (written) => {
        expect(decode(encode(written))).toEqual(written);
      }),
    );
  });

  it('never looks the same twice', () => {
    expect(encode().equals(encode())).toBe(false);
  });

  it('is refused after any change', () => {
    for (const { what, bytes } of mutationsOf(encode()))
      expect(
        refusal(() => decode(bytes)),
        what,
      ).not.toBe('accepted');
  });

  it('is refused for what cannot be', () => {
    expect(forged(() => undefined).length).toBe(encode().length);
    expect(refusal(() => decode(forged(() => undefined)))).toBe('accepted');
    for (const change of [
      (head: Buffer) => void head.write('CRNP', 'latin1'),
      (head: Buffer) => void (head[6] = 1),
      (head: Buffer) => void (head[7] = 1),
      (head: Buffer) => void head.writeBigUInt64LE(0n, 8),
      (head: Buffer) => void head.writeBigUInt64LE(2n ** 53n, 8),
      (head: Buffer) => void head.writeBigUInt64LE(2n ** 64n - 1n, 8),
      (head: Buffer) => void head.writeUInt32LE(1, 72),
      (head: Buffer) => void head.writeUInt32LE(0xffff_ffff, 72),
      (head: Buffer) => void head.writeUInt32LE(28, 76),
      (head: Buffer) => void head.writeUInt32LE(0xffff_ffff, 76),
    ]) {
      expect(
        refusal(() => decode(forged(change))),
        String(change),
      ).toBe('CORRUPT');
    }
    expect(refusal(() => decode(forged((head) => void (head[4] = 2))))).toBe('FORMAT_UNSUPPORTED');
    expect(refusal(() => decodeLogFrame(suite, Buffer.alloc(32), encode(), 'x'))).toBe('CORRUPT');
  });

  it('keeps to its limit, both ways', () => {
    const most = LIMITS.logEntryBytes - encode({ publicPart: Buffer.alloc(0) }).length;
    expect(encode({ publicPart: Buffer.alloc(most) }).length).toBe(LIMITS.logEntryBytes);
    expect(decode(encode({ publicPart: Buffer.alloc(most) })).publicPart.length).toBe(most);
    expect(() => encode({ publicPart: Buffer.alloc(most + 1) })).toThrow(
      expect.toSatisfy((error) => isCairnError(error, 'LIMIT_EXCEEDED')),
    );
    expect(() => decode(Buffer.alloc(LIMITS.logEntryBytes + 1))).toThrow(/size is out of range/);
  });

  it('tells its public half without the key', () => {
    const { sealedPart: _, ...open } = FRAME;
    expect(readLogFrame(encode(), 'a log entry')).toEqual(open);
  });

  it('without the key is refused when cut or longer, and otherwise says what its bytes say', () => {
    const object = encode();
    for (let length = 0; length < object.length; length++) {
      expect(
        refusal(() => readLogFrame(object.subarray(0, length), 'x')),
        `cut at ${length}`,
      ).toBe('CORRUPT');
    }
    expect(refusal(() => readLogFrame(Buffer.concat([object, Buffer.of(0)]), 'x'))).toBe('CORRUPT');
    for (const { what, bytes } of mutationsOf(object)) {
      const answer = readOrRefuse(() => readLogFrame(bytes, 'x'));
      if (!('value' in answer)) continue;
      const { kind, seq, previous, timeNs, publicPart } = answer.value;
      // Offsets of the format page, section 4.6.
      expect(bytes.length, what).toBe(object.length);
      expect([kind, BigInt(seq), timeNs], what).toEqual([bytes[5], bytes.readBigUInt64LE(8), bytes.readBigInt64LE(48)]);
      expect(Buffer.compare(previous, bytes.subarray(16, 48)), what).toBe(0);
      expect(Buffer.compare(publicPart, bytes.subarray(80, 80 + bytes.readUInt32LE(72))), what).toBe(0);
    }
    // A sealed part always has a nonce and a tag.
    const short = Buffer.from(object.subarray(0, 80 + 2 + 27));
    short.writeUInt32LE(27, 76);
    expect(refusal(() => readLogFrame(short, 'x'))).toBe('CORRUPT');
  });
});
