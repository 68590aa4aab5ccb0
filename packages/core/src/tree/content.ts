import { CHUNK_TYPE, type ChunkType } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Bytes of one record of a content reference: id 32, length u64 (format page, section 4.8). */
export const CONTENT_RECORD_BYTES = 40;

/** Where the content of a file or directory is: records of chunks (level 0) or of chunk lists. */
export interface ContentReference {
  readonly level: number;
  readonly records: Buffer;
  /** Sum of all records, bytes. */
  readonly length: number;
}

/** One record of a content reference or chunk list. */
export interface ContentRecord {
  readonly id: Uint8Array;
  readonly length: number;
}

/** The content of an empty file. */
export const EMPTY_CONTENT: ContentReference = { level: 0, records: Buffer.alloc(0), length: 0 };

/** The records of a reference or of a chunk list, taken apart. They are views of its bytes. */
export function contentRecords(records: Buffer): ContentRecord[] {
  const list: ContentRecord[] = [];
  for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
    list.push({ id: records.subarray(at, at + 32), length: Number(records.readBigUInt64LE(at + 32)) });
  }
  return list;
}

/** Stores a chunk and returns its id. */
export type StoreChunk = (type: ChunkType, plaintext: Uint8Array) => Uint8Array;

/** One level of a reference under construction: finished lists that are kept back until they are known to be needed. */
interface Level {
  closed: Buffer[];
  open: Buffer[];
  count: number;
  total: number;
  /** Set once there are more records than an entry holds: lists are stored as they close. */
  spilled: boolean;
}

/**
 * Builds a content reference record by record. Chunk lists end where an id begins with 12 zero bits, so an insertion
 * changes few of them; they are stored as soon as it is known that the entry cannot hold the records itself.
 */
export class ContentBuilder {
  private readonly store: StoreChunk;
  private readonly levels: Level[] = [];
  private length = 0;

  constructor(store: StoreChunk) {
    this.store = store;
  }

  add(id: Uint8Array, length: number): void {
    this.length += length;
    this.push(0, record(id, length));
  }

  /** Adds level-0 records that are encoded already. */
  addRecords(records: Buffer): void {
    for (const { id, length } of contentRecords(records)) this.add(id, length);
  }

  finish(): ContentReference {
    for (let number = 0; ; number++) {
      const level = this.levels[number];
      if (level === undefined) return EMPTY_CONTENT;
      if (!level.spilled) {
        return { level: number, records: Buffer.concat([...level.closed, ...level.open]), length: this.length };
      }
      this.close(level);
      this.spill(number, level);
    }
  }

  private push(number: number, bytes: Buffer): void {
    if (number >= LIMITS.chunkListLevels) throw new CairnError('LIMIT_EXCEEDED', 'a file has too many chunks');
    const level = (this.levels[number] ??= { closed: [], open: [], count: 0, total: 0, spilled: false });
    level.open.push(bytes);
    level.count += 1;
    level.total += 1;
    const endsList = bytes[0] === 0 && (bytes[1] as number) < 16;
    if (endsList || level.count === LIMITS.chunkListRecords) this.close(level);
    if (level.total > LIMITS.directReferences) level.spilled = true;
    if (level.spilled) this.spill(number, level);
  }

  private close(level: Level): void {
    if (level.open.length > 0) level.closed.push(Buffer.concat(level.open));
    level.open = [];
    level.count = 0;
  }

  /** Stores the closed lists of a level and passes their records up. */
  private spill(number: number, level: Level): void {
    const lists = level.closed;
    level.closed = [];
    for (const list of lists) {
      const length = contentRecords(list).reduce((sum, item) => sum + item.length, 0);
      this.push(number + 1, record(this.store(CHUNK_TYPE.list, list), length));
    }
  }
}

function record(id: Uint8Array, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(CONTENT_RECORD_BYTES);
  bytes.set(id);
  bytes.writeBigUInt64LE(BigInt(length), 32);
  return bytes;
}

/**
 * Checks a chunk list against the record that refers to it. Rejects with `CORRUPT` when it is no run of records of a
 * possible number or its sum differs from `length`.
 */
export function decodeChunkList(bytes: Uint8Array, length: number, level: number): ContentRecord[] {
  const count = bytes.length / CONTENT_RECORD_BYTES;
  const fail = (): never => {
    throw new CairnError('CORRUPT', 'a chunk list is damaged: its records do not fit what refers to it');
  };
  if (!Number.isInteger(count) || count < 1 || count > LIMITS.chunkListRecords) return fail();
  const records = contentRecords(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  let sum = 0;
  for (const item of records) {
    if (item.length === 0 || (level === 0 && item.length > LIMITS.chunkBytes)) fail();
    sum += item.length;
  }
  if (sum !== length || !Number.isSafeInteger(sum)) fail();
  return records;
}
