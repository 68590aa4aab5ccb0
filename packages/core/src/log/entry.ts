import { label } from '../crypto/labels.ts';
import { open, seal } from '../crypto/seal.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';

/** Frame of a log entry (format page, section 4.6). What the two parts hold is `kinds.ts`'s to say. */
const MAGIC = Buffer.from('CRNL', 'latin1');
const VERSION = 1;
const PREFIX_BYTES = 80;
/** Nonce and tag of `seal`. */
const SEALED_LEAST_BYTES = 28;

/** What a log entry tells without a key. Nothing of it is proved but by what chains to it. */
export interface PublicLogFrame {
  readonly kind: number;
  readonly seq: number;
  /** SHA-256 of the slot before, or of `config`. */
  readonly previous: Uint8Array;
  /** Writer's clock, nanoseconds since 1970. */
  readonly timeNs: bigint;
  /** MessagePack. */
  readonly publicPart: Uint8Array;
}

export interface LogFrame extends PublicLogFrame {
  /** MessagePack, as plaintext. */
  readonly sealedPart: Uint8Array;
}

export function encodeLogFrame(suite: CryptoSuite, random: Random, logKey: Uint8Array, frame: LogFrame): Uint8Array {
  const salt = random.bytes(16);
  const head = Buffer.alloc(PREFIX_BYTES + frame.publicPart.length);
  MAGIC.copy(head);
  head[4] = VERSION;
  head[5] = frame.kind;
  head.writeBigUInt64LE(BigInt(frame.seq), 8);
  head.set(frame.previous, 16);
  head.writeBigInt64LE(frame.timeNs, 48);
  head.set(salt, 56);
  head.writeUInt32LE(frame.publicPart.length, 72);
  head.writeUInt32LE(frame.sealedPart.length + SEALED_LEAST_BYTES, 76);
  head.set(frame.publicPart, PREFIX_BYTES);
  const key = suite.secretKey(suite.hkdf(logKey, salt, label('log entry')));
  const object = Buffer.concat([head, seal(suite, random, key, frame.sealedPart, Buffer.concat([label('log'), head]))]);
  if (object.length > LIMITS.logEntryBytes) {
    throw new CairnError('LIMIT_EXCEEDED', `a log entry of ${object.length} bytes is too large`, {
      hint: 'Name fewer objects or paths at once.',
    });
  }
  return object;
}

/**
 * Reads what an entry tells without a key: the sealed part is measured, not opened.
 * Rejects with `CORRUPT`, or `FORMAT_UNSUPPORTED` for another version.
 */
export function readLogFrame(object: Uint8Array, what: string): PublicLogFrame {
  return splitLogFrame(object, what).frame;
}

/** Opens an entry. Rejects with `CORRUPT`, or `FORMAT_UNSUPPORTED` for another version. */
export function decodeLogFrame(suite: CryptoSuite, logKey: Uint8Array, object: Uint8Array, what: string): LogFrame {
  const { frame, head, sealed } = splitLogFrame(object, what);
  const key = suite.secretKey(suite.hkdf(logKey, head.subarray(56, 72), label('log entry')));
  return { ...frame, sealedPart: open(suite, key, sealed, Buffer.concat([label('log'), head]), what) };
}

/** The two halves of an entry, and what the first one says. */
function splitLogFrame(
  object: Uint8Array,
  what: string,
): { readonly frame: PublicLogFrame; readonly head: Buffer; readonly sealed: Buffer } {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const fail = (how: string): CairnError => new CairnError('CORRUPT', `${what} is damaged: ${how}`);
  if (bytes.length < PREFIX_BYTES || bytes.length > LIMITS.logEntryBytes) throw fail('its size is out of range');
  if (!bytes.subarray(0, 4).equals(MAGIC)) throw fail('it does not begin as one');
  if (bytes[4] !== VERSION) {
    throw new CairnError('FORMAT_UNSUPPORTED', `${what} has version ${bytes[4]}`, { hint: 'Use a newer Cairn.' });
  }
  const publicLength = bytes.readUInt32LE(72);
  const sealedLength = bytes.readUInt32LE(76);
  const seq = bytes.readBigUInt64LE(8);
  if (bytes.readUInt16LE(6) !== 0) throw fail('reserved bytes are not zero');
  if (PREFIX_BYTES + publicLength + sealedLength !== bytes.length) throw fail('its lengths do not fit');
  if (sealedLength < SEALED_LEAST_BYTES) throw fail('its sealed part is too short');
  if (seq < 1n || seq > BigInt(Number.MAX_SAFE_INTEGER)) throw fail('its number is out of range');
  const head = bytes.subarray(0, PREFIX_BYTES + publicLength);
  const frame = {
    kind: bytes[5] as number,
    seq: Number(seq),
    previous: bytes.subarray(16, 48),
    timeNs: bytes.readBigInt64LE(48),
    publicPart: head.subarray(PREFIX_BYTES),
  };
  return { frame, head, sealed: bytes.subarray(head.length) };
}
