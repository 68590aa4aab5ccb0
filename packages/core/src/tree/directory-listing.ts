import type { ByteString } from '../host/byte-path.ts';
import { asBuffer } from '../codec/as-buffer.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { leafRecords, type ChunkSource } from './chunk-source.ts';
import type { ContentRecord, ContentReference } from './content.ts';
import { takeEntry, type EncodedEntry } from './directory-reader.ts';

/** Entries between two marks. A look-up reads half as many names on average; a mark takes about 100 bytes. */
const MARK_EVERY = 32;

/** The place of an entry in a directory's stream. */
interface Mark {
  readonly name: ByteString;
  readonly offset: number;
}

/** An entry and its number in the directory, counted from 0 in name order. */
export interface ListedEntry extends EncodedEntry {
  readonly ordinal: number;
}

/**
 * Finds entries of a directory by name or by number without reading it from the start: it was read once, and the place of
 * every 32nd entry noted. Chunks are asked for again each time, so the source should keep some.
 */
export class DirectoryListing {
  /** Entries in the directory. */
  readonly count: number;
  /** About what this object takes in memory, bytes. */
  readonly memoryBytes: number;
  private readonly source: ChunkSource;
  private readonly leaves: readonly ContentRecord[];
  /** Where each leaf begins in the stream. */
  private readonly starts: readonly number[];
  private readonly marks: readonly Mark[];

  private constructor(source: ChunkSource, leaves: readonly ContentRecord[], marks: readonly Mark[], count: number) {
    this.source = source;
    this.leaves = leaves;
    this.starts = startsOf(leaves);
    this.marks = marks;
    this.count = count;
    this.memoryBytes = 300 + 200 * leaves.length + 100 * marks.length;
  }

  /** Reads the directory. Rejects as `ChunkSource.chunk` does, and with `CORRUPT` when it is damaged. */
  static async load(source: ChunkSource, content: ContentReference): Promise<DirectoryListing> {
    const leaves: ContentRecord[] = [];
    for await (const { id, length } of leafRecords(source, content)) leaves.push({ id: new Uint8Array(id), length });
    const cursor = new EntryCursor(source, leaves, startsOf(leaves), 0);
    const marks: Mark[] = [];
    let count = 0;
    let last: ByteString | undefined;
    for (;;) {
      const { offset } = cursor;
      const entry = cursor.next();
      if (entry === undefined) break;
      if (entry === 'more') {
        await cursor.load();
        continue;
      }
      if (last !== undefined && entry.name <= last) {
        throw new CairnError('CORRUPT', 'a directory is damaged: its names are not in order');
      }
      last = entry.name;
      if (count % MARK_EVERY === 0) marks.push({ name: entry.name, offset });
      count += 1;
    }
    return new DirectoryListing(source, leaves, marks, count);
  }

  /** The entry of that name, or undefined. */
  async find(name: ByteString): Promise<ListedEntry | undefined> {
    let low = 0;
    let high = this.marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.marks[middle] as Mark).name <= name) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    let ordinal = (low - 1) * MARK_EVERY;
    const cursor = this.cursorAt(low - 1);
    for (;;) {
      const entry = cursor.next();
      if (entry === 'more') await cursor.load();
      else if (entry === undefined || entry.name > name) return undefined;
      else if (entry.name === name) return { ...entry, ordinal };
      else ordinal += 1;
    }
  }

  /** The entry of that number, or undefined when there are fewer. */
  async at(ordinal: number): Promise<ListedEntry | undefined> {
    const cursor = this.from(ordinal);
    for (;;) {
      const entry = cursor.next();
      if (entry !== 'more') return entry;
      await cursor.load();
    }
  }

  /** The entries from that number on. */
  from(ordinal: number): ListingCursor {
    if (ordinal >= this.count) return new ListingCursor(new EntryCursor(this.source, [], [], 0), 0, 0);
    const mark = Math.floor(ordinal / MARK_EVERY);
    return new ListingCursor(this.cursorAt(mark), mark * MARK_EVERY, ordinal);
  }

  private cursorAt(mark: number): EntryCursor {
    return new EntryCursor(this.source, this.leaves, this.starts, (this.marks[mark] as Mark).offset);
  }
}

function startsOf(leaves: readonly ContentRecord[]): number[] {
  let start = 0;
  return leaves.map(({ length }) => {
    const begins = start;
    start += length;
    return begins;
  });
}

/** Gives entries of a directory one after the other. What is in memory is given without waiting: there are many. */
export class ListingCursor {
  private readonly cursor: EntryCursor;
  private readonly from: number;
  private at: number;

  /**
   * @param at number of the entry that `cursor` gives next.
   * @param from number of the first entry that is wanted.
   */
  constructor(cursor: EntryCursor, at: number, from: number) {
    this.cursor = cursor;
    this.at = at;
    this.from = from;
  }

  /** The next entry if it is in memory already; `'more'` when `load` must be awaited first; undefined at the end. */
  next(): ListedEntry | 'more' | undefined {
    for (;;) {
      const entry = this.cursor.next();
      if (typeof entry !== 'object') return entry;
      const ordinal = this.at++;
      if (ordinal >= this.from) return { name: entry.name, bytes: entry.bytes, ordinal };
    }
  }

  /** Reads one chunk more. Rejects as `DirectoryListing.load` does. */
  async load(): Promise<void> {
    await this.cursor.load();
  }
}

/** Reads entries from some place of a directory's stream on. */
class EntryCursor {
  private readonly source: ChunkSource;
  private readonly leaves: readonly ContentRecord[];
  private leaf: number;
  private skip: number;
  private buffer: Buffer = Buffer.alloc(0);
  private at = 0;
  /** Where the next entry begins. */
  offset: number;

  constructor(source: ChunkSource, leaves: readonly ContentRecord[], starts: readonly number[], offset: number) {
    this.source = source;
    this.leaves = leaves;
    this.offset = offset;
    this.leaf = Math.max(
      0,
      starts.findLastIndex((start) => start <= offset),
    );
    this.skip = offset - (starts[this.leaf] ?? 0);
  }

  /** As `DirectoryReader.next`. */
  next(): EncodedEntry | 'more' | undefined {
    const entry = takeEntry(this.buffer, this.at, this.leaf >= this.leaves.length);
    if (typeof entry !== 'object') return entry;
    const taken = 4 + entry.bytes.length;
    this.at += taken;
    this.offset += taken;
    return entry;
  }

  async load(): Promise<void> {
    const record = this.leaves[this.leaf++];
    if (record === undefined) return;
    const chunk = await this.source.chunk(CHUNK_TYPE.tree, record.id);
    if (chunk.length !== record.length) {
      throw new CairnError('CORRUPT', 'a directory is damaged: a chunk is not as long as the reference says');
    }
    const rest = this.buffer.subarray(this.at);
    this.buffer = rest.length === 0 ? asBuffer(chunk) : Buffer.concat([rest, chunk]);
    this.at = this.skip;
    this.skip = 0;
  }
}
