import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import type { ByteRange } from '../ports/object-store.ts';
import type { ChunkSource } from './chunk-source.ts';
import {
  contentRecords,
  decodeChunkList,
  EMPTY_CONTENT,
  type ContentRecord,
  type ContentReference,
} from './content.ts';
import type { TreeEntry } from './entry.ts';

/** Zeros are handed out in pieces of at most this many bytes. */
const ZEROS = new Uint8Array(256 * 1024);

/** Chunks that are asked for before they are needed, when a source likes to know. */
const CHUNKS_AHEAD = 8;

/** The records of an entry or of a chunk list, with the end of each counted from the start of the first. */
interface RecordRun {
  readonly id: Uint8Array | undefined;
  readonly records: readonly ContentRecord[];
  readonly ends: Float64Array;
}

/** A chunk and where in the content it begins. */
interface PlacedRecord {
  readonly record: ContentRecord;
  readonly start: number;
  /** The run that it is in, and where in it. */
  readonly run: RecordRun;
  readonly number: number;
}

interface HeldChunk {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/**
 * Reads a file of an archive, in order or anywhere. Of each level of chunk lists the one used last is kept, so that reads
 * near each other open it once: at most 640 KiB a level, whatever the size of the file.
 */
export class FileReader {
  /** Apparent bytes, holes included. */
  readonly size: number;
  private readonly source: ChunkSource;
  private readonly content: ContentReference;
  private readonly holes: readonly (readonly [offset: number, length: number])[];
  private readonly root: RecordRun;
  private readonly lists: RecordRun[] = [];
  /** The run that was last read ahead of, and up to which record. */
  private hinted: { readonly run: RecordRun; readonly upTo: number } | undefined;

  /** @param entry of kind file; its content and holes add up to its size, which `decodeEntry` has checked. */
  constructor(source: ChunkSource, entry: Pick<TreeEntry, 'size' | 'content' | 'holes'>) {
    this.source = source;
    this.size = entry.size;
    this.content = entry.content ?? EMPTY_CONTENT;
    this.holes = entry.holes ?? [];
    this.root = recordRun(undefined, contentRecords(this.content.records));
  }

  /**
   * The bytes of `range` that the file has, in pieces; all of it when no range is given. Holes are zeros. The pieces must not
   * be changed. Rejects with `USAGE` for a range that cannot be, with `CORRUPT`, `OBJECT_MISSING` or `RIGHT_MISSING` when a
   * chunk cannot be had: never with fewer bytes.
   */
  async *read(range: ByteRange = { offset: 0, length: this.size }): AsyncGenerator<Uint8Array> {
    let held: HeldChunk | undefined;
    for (const { at, length } of this.spans(range)) {
      if (at === undefined) yield* zeros(length);
      else {
        for (let position = at; position < at + length;) {
          if (!holds(held, position)) held = await this.chunkAt(position, at + length);
          const piece = cut(held, position, at + length);
          yield piece;
          position += piece.length;
        }
      }
    }
  }

  /** As `read`, when all of it is at hand; undefined when something must be waited for. */
  readNow(range: ByteRange): Uint8Array[] | undefined {
    const pieces: Uint8Array[] = [];
    for (const { at, length } of this.spans(range)) {
      if (at === undefined) pieces.push(...zeros(length));
      else {
        for (let position = at; position < at + length;) {
          const held = this.keptAt(position);
          if (held === undefined) return undefined;
          const piece = cut(held, position, at + length);
          pieces.push(piece);
          position += piece.length;
        }
      }
    }
    return pieces;
  }

  /** What the range is made of: bytes of the content, from byte `at` of it on, or zeros, where `at` is undefined. */
  private *spans({
    offset,
    length,
  }: ByteRange): Generator<{ readonly at: number | undefined; readonly length: number }> {
    if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
      throw new CairnError('USAGE', `not a byte range: ${length} bytes from ${offset}`);
    }
    const end = Math.min(this.size, offset + length);
    let position = offset;
    let skipped = 0;
    for (const [holeStart, holeLength] of [...this.holes, [this.size, 0] as const]) {
      const dataEnd = Math.min(end, holeStart);
      if (position < dataEnd) {
        yield { at: position - skipped, length: dataEnd - position };
        position = dataEnd;
      }
      const zerosEnd = Math.min(end, holeStart + holeLength);
      if (position < zerosEnd) {
        yield { at: undefined, length: zerosEnd - position };
        position = zerosEnd;
      }
      if (position >= end) return;
      skipped += holeLength;
    }
  }

  /**
   * Ids of the chunks that hold the bytes of `range`, at most `most`: for reading ahead. Rejects as `read` does for chunk lists.
   */
  async chunkIds({ offset, length }: ByteRange, most: number): Promise<Uint8Array[]> {
    const end = Math.min(this.content.length, this.contentOffset(Math.min(this.size, offset + length)));
    const ids: Uint8Array[] = [];
    for (let position = this.contentOffset(offset); position < end && ids.length < most;) {
      const { record, start } = await this.recordAt(position);
      ids.push(record.id);
      position = start + record.length;
    }
    return ids;
  }

  /** How many bytes of the content lie before byte `offset` of the file. */
  private contentOffset(offset: number): number {
    let content = offset;
    for (const [start, length] of this.holes) {
      if (start >= offset) break;
      content -= Math.min(length, offset - start);
    }
    return content;
  }

  /** The chunk that holds byte `position` of the content, which is going to be read up to `end`. */
  private async chunkAt(position: number, end: number): Promise<HeldChunk> {
    const found = await this.recordAt(position);
    const { record, start } = found;
    this.lookAhead(found, end);
    const bytes = await this.source.chunk(CHUNK_TYPE.data, record.id);
    if (bytes.length !== record.length) {
      throw new CairnError('CORRUPT', 'a chunk is not as long as the reference to it says');
    }
    return { start, bytes };
  }

  /** The same, if it is at hand. */
  private keptAt(position: number): HeldChunk | undefined {
    let run: RecordRun | undefined = this.root;
    let start = 0;
    for (let level = this.content.level; run !== undefined; level--) {
      const found = locate(run, position - start);
      start += found.start;
      if (level === 0) {
        const { record } = found;
        const bytes = this.source.kept?.(CHUNK_TYPE.data, record.id);
        return bytes?.length === record.length ? { start, bytes } : undefined;
      }
      run = this.knownList(level - 1, found.record);
    }
    return undefined;
  }

  private async recordAt(position: number): Promise<PlacedRecord> {
    let run = this.root;
    let start = 0;
    for (let level = this.content.level; ; level--) {
      const found = locate(run, position - start);
      start += found.start;
      if (level === 0) return { ...found, start };
      run = this.knownList(level - 1, found.record) ?? (await this.list(level - 1, found.record));
    }
  }

  /** Tells the source of the chunks after this one, of those that begin before `end`. */
  private lookAhead({ run, number, start }: PlacedRecord, end: number): void {
    const { ahead } = this.source;
    if (ahead === undefined) return;
    const { records, ends } = run;
    const runStart = start - (number === 0 ? 0 : (ends[number - 1] as number));
    const from = Math.max(number + 1, this.hinted?.run === run ? this.hinted.upTo : 0);
    let upTo = from;
    while (upTo <= number + CHUNKS_AHEAD && upTo < records.length && runStart + (ends[upTo - 1] as number) < end)
      upTo++;
    this.hinted = { run, upTo };
    const next = records.slice(from, upTo).map(({ id }) => id);
    if (next.length > 0) ahead(CHUNK_TYPE.data, next);
  }

  /** The chunk list that `record` refers to, if it is the one of its level that was used last. */
  private knownList(level: number, record: ContentRecord): RecordRun | undefined {
    const known = this.lists[level];
    return known?.id !== undefined && Buffer.compare(known.id, record.id) === 0 ? known : undefined;
  }

  /** The chunk list that `record` refers to, whose own records are of `level`. */
  private async list(level: number, record: ContentRecord): Promise<RecordRun> {
    const bytes = await this.source.chunk(CHUNK_TYPE.list, record.id);
    const run = recordRun(record.id, decodeChunkList(bytes, record.length, level));
    this.lists[level] = run;
    return run;
  }
}

function holds(held: HeldChunk | undefined, position: number): held is HeldChunk {
  return held !== undefined && position < held.start + held.bytes.length;
}

/** The bytes of a chunk from `position` on, up to `end`. */
function cut({ start, bytes }: HeldChunk, position: number, end: number): Uint8Array {
  return bytes.subarray(position - start, end - start);
}

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
}

function recordRun(id: Uint8Array | undefined, records: readonly ContentRecord[]): RecordRun {
  const ends = new Float64Array(records.length);
  let end = 0;
  records.forEach((record, i) => (ends[i] = end += record.length));
  return { id, records, ends };
}

/** The record that holds byte `position` of the run: the first that ends after it. */
function locate(run: RecordRun, position: number): PlacedRecord {
  const { records, ends } = run;
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] as number) > position) high = middle;
    else low = middle + 1;
  }
  const record = records[low];
  if (record === undefined) throw new CairnError('CORRUPT', 'a content ends before its length');
  return { record, start: low === 0 ? 0 : (ends[low - 1] as number), run, number: low };
}
