import { CairnError, decodeDecision, readLogFrame, type Decision } from '@cairn/core/server';
import { createHash } from 'node:crypto';

/** Bytes of an entry before its public part (docs/design/format.md, section 4.6). */
const PREFIX_BYTES = 80;

/** What a server without keys can read of a log entry. */
export interface PublicEntry {
  readonly seq: number;
  /** SHA-256 of the slot before, or of `config`; hex. */
  readonly previous: string;
  /** SHA-256 of this slot; hex. */
  readonly hash: string;
  /** The writer's clock, milliseconds since 1970. */
  readonly writerMs: number;
  readonly decision: Decision;
}

/** Rejects with `CORRUPT` or `FORMAT_UNSUPPORTED`. */
export function readPublicEntry(object: Uint8Array, what: string): PublicEntry {
  const frame = readLogFrame(object, what);
  return {
    seq: frame.seq,
    previous: Buffer.from(frame.previous).toString('hex'),
    hash: hashOf(object),
    writerMs: Number(frame.timeNs / 1_000_000n),
    decision: decodeDecision(frame.kind, frame.publicPart, what),
  };
}

export function hashOf(object: Uint8Array): string {
  return createHash('sha256').update(object).digest('hex');
}

/**
 * True for what a crash leaves of an entry that was never acknowledged: its beginning, or nothing but zeros. An entry that is
 * complete but wrong is no such thing.
 */
export function isTorn(object: Uint8Array): boolean {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.length);
  if (bytes.every((byte) => byte === 0)) return true;
  if (bytes.subarray(0, 4).toString('latin1') !== 'CRNL'.slice(0, bytes.length)) return false;
  if (bytes.length < PREFIX_BYTES) return true;
  return bytes.length < PREFIX_BYTES + bytes.readUInt32LE(72) + bytes.readUInt32LE(76);
}

/** What stops a server: a log that cannot be what was acknowledged. */
export function damagedLog(seq: number, where: string, how: string, cause?: unknown): CairnError {
  return new CairnError('CORRUPT', `log entry ${seq} of ${where} is damaged: ${how}`, {
    hint: 'Bring back that file of the folder log/ from a copy; until then the server does not serve this repository.',
    cause,
  });
}
