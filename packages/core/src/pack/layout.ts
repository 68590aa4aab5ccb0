import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import { label } from '../crypto/labels.ts';
import { open, seal, SEAL_BYTES } from '../crypto/seal.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';

/** Byte layout of a pack object (format page, section 4.4). */
const MAGIC = Buffer.from('CRNP', 'latin1');
const VERSION = 1;
const PREFIX_BYTES = 48;
const SESSION_BYTES = 48;
/** Bytes of one record of a pack's header. */
export const PACK_RECORD_BYTES = 48;

export const PACK_KIND = { data: 1, tree: 2 } as const;
export type PackKind = (typeof PACK_KIND)[keyof typeof PACK_KIND];

/** One chunk as a pack's header lists it. `offset` counts from the end of the sealed header. */
export interface PackRecord {
  readonly type: ChunkType;
  readonly session: number;
  readonly offset: number;
  readonly storedLength: number;
  readonly rawLength: number;
  readonly id: Uint8Array;
}

export interface PackHeader {
  readonly kind: PackKind;
  readonly sessions: readonly SessionPublic[];
  /** `PACK_RECORD_BYTES` each, as in the format; `readPackRecord` reads one. Never one object per chunk. */
  readonly records: Buffer;
  /** Where the first chunk begins. */
  readonly dataStart: number;
}

/** Bytes before the first chunk, for so many sessions and records. */
export function packDataStart(sessions: number, records: number): number {
  return PREFIX_BYTES + SESSION_BYTES * sessions + SEAL_BYTES + 4 + PACK_RECORD_BYTES * records;
}

/** How many bytes from the start must be read to know the length of the whole header. */
export const PACK_PREFIX_BYTES = PREFIX_BYTES;

/** Prefix, session table and sealed header: everything before the chunks. */
export function encodePackHeader(
  suite: CryptoSuite,
  random: Random,
  keys: { readonly repo: Uint8Array; readonly loc: Uint8Array },
  header: Omit<PackHeader, 'dataStart'>,
): Uint8Array {
  const salt = random.bytes(16);
  const head = Buffer.alloc(PREFIX_BYTES + SESSION_BYTES * header.sessions.length);
  MAGIC.copy(head);
  head[4] = VERSION;
  head[5] = header.kind;
  head.set(keys.repo, 8);
  head.set(salt, 24);
  head.writeUInt16LE(header.sessions.length, 40);
  const count = Buffer.alloc(4);
  count.writeUInt32LE(header.records.length / PACK_RECORD_BYTES);
  const plaintext = Buffer.concat([count, header.records]);
  head.writeUInt32LE(SEAL_BYTES + plaintext.length, 44);
  header.sessions.forEach((session, i) => {
    head.set(session.sid, PREFIX_BYTES + SESSION_BYTES * i);
    head.set(session.epk, PREFIX_BYTES + SESSION_BYTES * i + 16);
  });
  const key = suite.secretKey(suite.hkdf(keys.loc, salt, label('pack header')));
  return Buffer.concat([head, seal(suite, random, key, plaintext, Buffer.concat([label('pack'), head]))]);
}

/** Length of everything before the chunks, from the first `PACK_PREFIX_BYTES` bytes. Rejects with `CORRUPT`. */
export function packHeaderLength(prefix: Uint8Array, what: string): number {
  const head = Buffer.from(prefix.buffer, prefix.byteOffset, prefix.byteLength);
  if (head.length < PREFIX_BYTES || !head.subarray(0, 4).equals(MAGIC))
    throw broken(what, 'it does not begin as a pack');
  if (head[4] !== VERSION) {
    throw new CairnError('FORMAT_UNSUPPORTED', `${what} has version ${head[4]}`, { hint: 'Use a newer Cairn.' });
  }
  const sessions = head.readUInt16LE(40);
  const sealed = head.readUInt32LE(44);
  if (sessions < 1 || sessions > LIMITS.packSessions) throw broken(what, 'its number of sessions is out of range');
  if (sealed < SEAL_BYTES + 4 || sealed > SEAL_BYTES + 4 + PACK_RECORD_BYTES * LIMITS.packChunks) {
    throw broken(what, 'the length of its header is out of range');
  }
  return PREFIX_BYTES + SESSION_BYTES * sessions + sealed;
}

/**
 * Opens a pack's header. `bytes` begins at the pack's start and holds at least the header; `objectBytes` is the size of the
 * whole object. Rejects with `CORRUPT` when anything is out of bounds, `FORMAT_UNSUPPORTED` for another version.
 */
export function decodePackHeader(
  suite: CryptoSuite,
  keys: { readonly repo: Uint8Array; readonly loc: Uint8Array },
  bytes: Uint8Array,
  objectBytes: number,
  what: string,
): PackHeader {
  const dataStart = packHeaderLength(bytes, what);
  if (objectBytes > LIMITS.packBytes) throw broken(what, 'it is larger than a pack may be');
  if (bytes.length < dataStart) throw broken(what, 'it ends inside its header');
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = head[5];
  if (kind !== PACK_KIND.data && kind !== PACK_KIND.tree) throw broken(what, 'its kind is unknown');
  if (head.readUInt16LE(6) !== 0 || head.readUInt16LE(42) !== 0) throw broken(what, 'reserved bytes are not zero');
  if (Buffer.compare(head.subarray(8, 24), keys.repo) !== 0) throw broken(what, 'it belongs to another repository');
  const sessionCount = head.readUInt16LE(40);
  const sealedStart = PREFIX_BYTES + SESSION_BYTES * sessionCount;
  const key = suite.secretKey(suite.hkdf(keys.loc, head.subarray(24, 40), label('pack header')));
  const aad = Buffer.concat([label('pack'), head.subarray(0, sealedStart)]);
  const opened = open(suite, key, head.subarray(sealedStart, dataStart), aad, `the header of ${what}`);
  const plaintext = Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
  const count = plaintext.readUInt32LE(0);
  if (count > LIMITS.packChunks || plaintext.length !== 4 + PACK_RECORD_BYTES * count) {
    throw broken(what, 'its header does not hold as many chunks as it says');
  }
  const sessions: SessionPublic[] = [];
  for (let i = 0; i < sessionCount; i++) {
    const at = PREFIX_BYTES + SESSION_BYTES * i;
    sessions.push({ sid: Buffer.from(head.subarray(at, at + 16)), epk: Buffer.from(head.subarray(at + 16, at + 48)) });
  }
  const records = plaintext.subarray(4);
  for (let i = 0; i < count; i++) checkRecord(records, i, kind, sessionCount, objectBytes - dataStart, what);
  return { kind, sessions, records, dataStart };
}

/** Writes record `i` of a pack's header. */
export function writePackRecord(records: Buffer, i: number, record: PackRecord): void {
  const at = PACK_RECORD_BYTES * i;
  records[at] = record.type;
  records[at + 1] = 0;
  records.writeUInt16LE(record.session, at + 2);
  records.writeUInt32LE(record.offset, at + 4);
  records.writeUInt32LE(record.storedLength, at + 8);
  records.writeUInt32LE(record.rawLength, at + 12);
  records.set(record.id, at + 16);
}

/** Reads record `i` of a pack's header; `id` is a view. */
export function readPackRecord(records: Buffer, i: number): PackRecord {
  const at = PACK_RECORD_BYTES * i;
  return {
    type: records[at] as ChunkType,
    session: records.readUInt16LE(at + 2),
    offset: records.readUInt32LE(at + 4),
    storedLength: records.readUInt32LE(at + 8),
    rawLength: records.readUInt32LE(at + 12),
    id: records.subarray(at + 16, at + 48),
  };
}

function checkRecord(records: Buffer, i: number, kind: PackKind, sessions: number, room: number, what: string): void {
  const record = readPackRecord(records, i);
  const typeFits = kind === PACK_KIND.data ? record.type === 1 : record.type === 2 || record.type === 3;
  if (!typeFits || records[PACK_RECORD_BYTES * i + 1] !== 0) {
    throw broken(what, 'it lists a chunk of a type it may not hold');
  }
  if (record.session >= sessions) throw broken(what, 'it lists a chunk of a session it does not have');
  if (
    record.rawLength < 1 ||
    record.rawLength > LIMITS.chunkBytes ||
    record.storedLength <= LIMITS.sealOverheadBytes ||
    record.storedLength > LIMITS.chunkBytes + LIMITS.sealOverheadBytes ||
    record.offset + record.storedLength > room
  ) {
    throw broken(what, 'it lists a chunk that lies outside of it');
  }
}

function broken(what: string, how: string): CairnError {
  return new CairnError('CORRUPT', `${what} is damaged: ${how}`, {
    hint: 'Run `cairn check` to see what is affected.',
  });
}
