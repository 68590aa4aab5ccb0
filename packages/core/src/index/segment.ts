import { littleWords } from '../codec/words.ts';
import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import { label } from '../crypto/labels.ts';
import { open, seal, SEAL_BYTES } from '../crypto/seal.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { PACK_RECORD_BYTES, packDataStart, type PackKind } from '../pack/layout.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';

/** Byte layout of an index segment (format page, section 4.5). */
const MAGIC = Buffer.from('CRNI', 'latin1');
const VERSION = 1;
const PREFIX_BYTES = 40;
const COUNTS_BYTES = 16;
const PACK_BYTES = 48;
const SESSION_BYTES = 48;
export const RECORD_BYTES = 36;

/** What sealing and opening a segment takes. */
export interface SegmentKeys {
  readonly repo: Uint8Array;
  readonly loc: Uint8Array;
}

/** What a segment says about one pack. */
export interface IndexedPack {
  /** Hex name of the pack object. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly dataStart: number;
  readonly kind: PackKind;
  readonly sessions: readonly SessionPublic[];
}

/** A pack with all its records, ready to be listed by a segment. */
export interface PackListing extends IndexedPack {
  /** `PACK_RECORD_BYTES` each, as in a pack's header. */
  readonly records: Buffer;
}

/** An opened segment. `records` is `RECORD_BYTES` each, as in the format: read in place, never one object per chunk. */
export interface IndexSegment {
  readonly packs: readonly IndexedPack[];
  readonly records: Buffer;
}

/** Bytes that listing these packs takes, before sealing. */
export function listingBytes(listing: PackListing): number {
  return (
    PACK_BYTES + SESSION_BYTES * listing.sessions.length + RECORD_BYTES * (listing.records.length / PACK_RECORD_BYTES)
  );
}

/** The object of a segment that lists `packs`. */
export function encodeSegment(
  suite: CryptoSuite,
  random: Random,
  keys: SegmentKeys,
  packs: readonly PackListing[],
): Uint8Array {
  const count = packs.reduce((sum, pack) => sum + pack.records.length / PACK_RECORD_BYTES, 0);
  const records = Buffer.alloc(RECORD_BYTES * count);
  let to = 0;
  packs.forEach((pack, number) => {
    for (let at = 0; at < pack.records.length; at += PACK_RECORD_BYTES, to += RECORD_BYTES) {
      pack.records.copy(records, to, at + 16, at + 32);
      records.writeUInt32LE(number, to + 16);
      pack.records.copy(records, to + 20, at + 4, at + 16);
      records.writeUInt16LE(pack.records.readUInt16LE(at + 2), to + 32);
      records[to + 34] = pack.records[at] as number;
    }
  });
  return sealSegment(suite, random, keys, { packs, records });
}

/** The object of a segment of these packs and records, which may be in any order and repeat. Rejects with `LIMIT_EXCEEDED`. */
export function sealSegment(
  suite: CryptoSuite,
  random: Random,
  keys: SegmentKeys,
  { packs, records }: IndexSegment,
): Uint8Array {
  const sessionCount = packs.reduce((sum, pack) => sum + pack.sessions.length, 0);
  const recordsAt = COUNTS_BYTES + PACK_BYTES * packs.length + SESSION_BYTES * sessionCount;
  if (recordsAt + records.length > LIMITS.indexBytes) {
    throw new CairnError('LIMIT_EXCEEDED', 'an index segment would be too large');
  }
  const sorted = sortRecords(records);
  const plaintext = Buffer.alloc(recordsAt + sorted.length);
  plaintext.writeUInt32LE(packs.length, 0);
  plaintext.writeUInt32LE(sessionCount, 4);
  plaintext.writeUInt32LE(sorted.length / RECORD_BYTES, 8);
  let packAt = COUNTS_BYTES;
  let sessionAt = packAt + PACK_BYTES * packs.length;
  let firstSession = 0;
  for (const pack of packs) {
    plaintext.write(pack.name, packAt, 'hex');
    plaintext.writeUInt32LE(pack.sizeBytes, packAt + 32);
    plaintext.writeUInt32LE(pack.dataStart, packAt + 36);
    plaintext.writeUInt32LE(firstSession, packAt + 40);
    plaintext.writeUInt16LE(pack.sessions.length, packAt + 44);
    plaintext[packAt + 46] = pack.kind;
    packAt += PACK_BYTES;
    for (const session of pack.sessions) {
      plaintext.set(session.sid, sessionAt);
      plaintext.set(session.epk, sessionAt + 16);
      sessionAt += SESSION_BYTES;
    }
    firstSession += pack.sessions.length;
  }
  plaintext.set(sorted, recordsAt);
  const salt = random.bytes(16);
  const prefix = Buffer.concat([MAGIC, Uint8Array.of(VERSION, 0, 0, 0), keys.repo, salt]);
  const key = suite.secretKey(suite.hkdf(keys.loc, salt, label('index segment')));
  return Buffer.concat([prefix, seal(suite, random, key, plaintext, Buffer.concat([label('index'), prefix]))]);
}

/** The records in the segment's order, each once. */
function sortRecords(records: Buffer): Buffer {
  const count = records.length / RECORD_BYTES;
  const first = Uint32Array.from({ length: count }, (_, i) => records.readUInt32BE(RECORD_BYTES * i));
  const order = Uint32Array.from(first, (_, i) => i);
  order.sort(
    (a, b) =>
      (first[a] as number) - (first[b] as number) || compareRecords(records, RECORD_BYTES * a, RECORD_BYTES * b),
  );
  const sorted = Buffer.allocUnsafe(records.length);
  let to = 0;
  let before = -1;
  for (const number of order) {
    const at = RECORD_BYTES * number;
    if (before !== -1 && compareRecords(records, before, at) === 0) continue;
    records.copy(sorted, to, at, at + RECORD_BYTES);
    to += RECORD_BYTES;
    before = at;
  }
  return sorted.subarray(0, to);
}

/** The most records that a segment object of that size can have: each of its packs takes room, too. */
export function mostRecords(objectBytes: number): number {
  const room = objectBytes - PREFIX_BYTES - SEAL_BYTES - COUNTS_BYTES - PACK_BYTES - SESSION_BYTES;
  return Math.max(0, Math.floor(room / RECORD_BYTES));
}

/** Opens a segment. Rejects with `CORRUPT` when anything is out of bounds, `FORMAT_UNSUPPORTED` for another version. */
export function decodeSegment(suite: CryptoSuite, keys: SegmentKeys, object: Uint8Array, what: string): IndexSegment {
  const bytes = Buffer.from(object.buffer, object.byteOffset, object.byteLength);
  const fail = (how: string): CairnError =>
    new CairnError('CORRUPT', `${what} is damaged: ${how}`, { hint: 'Run `cairn check` to see what is affected.' });
  if (bytes.length < PREFIX_BYTES || !bytes.subarray(0, 4).equals(MAGIC)) throw fail('it does not begin as one');
  if (bytes[4] !== VERSION) {
    throw new CairnError('FORMAT_UNSUPPORTED', `${what} has version ${bytes[4]}`, { hint: 'Use a newer Cairn.' });
  }
  if (bytes.readUIntLE(5, 3) !== 0) throw fail('reserved bytes are not zero');
  if (bytes.length > PREFIX_BYTES + LIMITS.indexBytes + SEAL_BYTES) throw fail('it is too large');
  if (Buffer.compare(bytes.subarray(8, 24), keys.repo) !== 0) throw fail('it belongs to another repository');
  const prefix = bytes.subarray(0, PREFIX_BYTES);
  const key = suite.secretKey(suite.hkdf(keys.loc, bytes.subarray(24, 40), label('index segment')));
  const opened = open(suite, key, bytes.subarray(PREFIX_BYTES), Buffer.concat([label('index'), prefix]), what);
  const plaintext = Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
  if (plaintext.length < COUNTS_BYTES) throw fail('it ends too early');
  const packCount = plaintext.readUInt32LE(0);
  const sessionCount = plaintext.readUInt32LE(4);
  const recordCount = plaintext.readUInt32LE(8);
  const recordsAt = COUNTS_BYTES + PACK_BYTES * packCount + SESSION_BYTES * sessionCount;
  if (plaintext.readUInt32LE(12) !== 0 || plaintext.length !== recordsAt + RECORD_BYTES * recordCount) {
    throw fail('its counts do not fit its length');
  }
  const packs: IndexedPack[] = [];
  const sessionsAt = COUNTS_BYTES + PACK_BYTES * packCount;
  const sessions = decodeSessions(plaintext.subarray(sessionsAt, recordsAt));
  for (let i = 0; i < packCount; i++) {
    const pack = decodePack(plaintext, COUNTS_BYTES + PACK_BYTES * i, sessions);
    if (pack === undefined) throw fail('it describes a pack that cannot be');
    packs.push(pack);
  }
  const records = plaintext.subarray(recordsAt);
  if (!areRecords(records, packs)) throw fail('it lists a chunk that cannot be where it says');
  return { packs, records };
}

/** Words of a record. */
const RECORD_WORDS = RECORD_BYTES / 4;

/** Whether each record says what can be, and they are in order. Runs for every chunk of the repository, so it is spelled out. */
function areRecords(records: Buffer, packs: readonly IndexedPack[]): boolean {
  const words = littleWords(records);
  let before = -1;
  for (let at = 0; at < words.length; at += RECORD_WORDS) {
    const pack = packs[words[at + 4] as number];
    const storedLength = words[at + 6] as number;
    const rawLength = words[at + 7] as number;
    const last = words[at + 8] as number;
    const type = last >>> 16;
    if (
      pack === undefined ||
      (last & 0xffff) >= pack.sessions.length ||
      pack.dataStart + (words[at + 5] as number) + storedLength > pack.sizeBytes ||
      storedLength <= LIMITS.sealOverheadBytes ||
      storedLength > LIMITS.chunkBytes + LIMITS.sealOverheadBytes ||
      rawLength < 1 ||
      rawLength > LIMITS.chunkBytes ||
      // The byte after the type is 0.
      (pack.kind === 1 ? type !== 1 : type !== 2 && type !== 3)
    ) {
      return false;
    }
    const first = firstBytes(words[at] as number);
    const isAfter = first > before || (first === before && compareRecords(records, 4 * at - RECORD_BYTES, 4 * at) < 0);
    if (!isAfter) return false;
    before = first;
  }
  return true;
}

/** The number that four bytes make, the first counting most, of the little-endian one. */
function firstBytes(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

function compareRecords(records: Buffer, a: number, b: number): number {
  return (
    records.compare(records, b, b + 16, a, a + 16) ||
    records.readUInt32LE(a + 16) - records.readUInt32LE(b + 16) ||
    records.readUInt32LE(a + 20) - records.readUInt32LE(b + 20)
  );
}

/** The session table. All packs of a run name one session: then it is one object. */
function decodeSessions(bytes: Buffer): SessionPublic[] {
  const sessions: SessionPublic[] = [];
  for (let at = 0; at < bytes.length; at += SESSION_BYTES) {
    const before = sessions.at(-1);
    const isSame = before !== undefined && bytes.compare(bytes, at, at + SESSION_BYTES, at - SESSION_BYTES, at) === 0;
    sessions.push(
      isSame
        ? before
        : { sid: Buffer.from(bytes.subarray(at, at + 16)), epk: Buffer.from(bytes.subarray(at + 16, at + 48)) },
    );
  }
  return sessions;
}

function decodePack(bytes: Buffer, at: number, all: readonly SessionPublic[]): IndexedPack | undefined {
  const sizeBytes = bytes.readUInt32LE(at + 32);
  const dataStart = bytes.readUInt32LE(at + 36);
  const first = bytes.readUInt32LE(at + 40);
  const count = bytes.readUInt16LE(at + 44);
  const kind = bytes[at + 46];
  if (sizeBytes > LIMITS.packBytes || dataStart > sizeBytes || dataStart < packDataStart(count, 0)) return undefined;
  if (count < 1 || count > LIMITS.packSessions || first + count > all.length) return undefined;
  if ((kind !== 1 && kind !== 2) || bytes[at + 47] !== 0) return undefined;
  const sessions = all.slice(first, first + count);
  return { name: toHex(bytes.subarray(at, at + 32)), sizeBytes, dataStart, kind, sessions };
}
