import {
  CHUNK_TYPE,
  contentRecords,
  FileReader,
  type ArchiveReader,
  type ChunkSource,
  type TreeEntry,
} from '@cairn/core';

import { Refusal } from './refusal.ts';

/** Files whose places are remembered. A read of another one decodes its entry again, nothing more. */
const MOST_STREAMS = 256;
/** Of those, files so large that their chunks are in lists: a list that is kept takes half a megabyte, and up to two. */
const MOST_LISTED = 16;
/** Requests of one reader that are handled at once may come in any order within this many bytes. */
const NEAR_BYTES = 2 * 1024 * 1024;
/** How far before its reader something is done. */
interface Reach {
  readonly bytes: number;
  /** It is done again when this much of it was used. */
  readonly stepBytes: number;
  /** At most, each time. */
  readonly chunks: number;
}
/** What is opened before it is asked for, once a file is read in order. */
const OPENED: Reach = { bytes: 4 * 1024 * 1024, stepBytes: 1024 * 1024, chunks: 32 };
/** What the disk brings before that: the packs of so many bytes are two, as two threads of a backup fill them. */
const BROUGHT: Reach = { bytes: 32 * 1024 * 1024, stepBytes: 8 * 1024 * 1024, chunks: 128 };
/** Reads in order after which reading ahead begins: a look at the beginning of a file is no reading of it. */
const RUN_BEGINS = 2;

/** Files above this size are read ahead when they are read, not before. */
const SMALL_BYTES = 512 * 1024;

/** `whence` of lseek(2). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** What is needed of the repository's reader. */
export type ContentSource = Pick<ArchiveReader, 'chunk' | 'prefetch'> &
  Partial<Pick<ArchiveReader, 'reading' | 'expect'>> &
  Pick<ChunkSource, 'kept'>;

/** A file that is being read, and how. */
interface FileStream {
  readonly reader: FileReader;
  /** Its chunks are in lists, of which some are kept. */
  readonly isListed: boolean;
  /** End of the last read of a run in order. */
  end: number;
  run: number;
  /** Up to where chunks were asked for. */
  ahead: number;
  /** Up to where the disk was asked for packs. */
  expected: number;
  /** False until it is read for the first time. */
  begun: boolean;
}

/** Reads contents of files, in order or anywhere, and ahead of those who read in order. */
export class FileContents {
  private readonly source: ContentSource;
  private readonly onBegin: (node: number) => void;
  private readonly streams = new Map<number, FileStream>();

  /** @param onBegin called when a file is read that was not read lately. */
  constructor(source: ContentSource, onBegin: (node: number) => void = () => undefined) {
    this.source = source;
    this.onBegin = onBegin;
  }

  /** The bytes of the range that the file has, in pieces. Rejects as `FileReader.read` does. */
  async read(node: number, entry: () => Promise<TreeEntry>, offset: number, length: number): Promise<Uint8Array[]> {
    const stream = this.known(node) ?? this.add(node, await entry());
    const end = Math.min(stream.reader.size, offset + length);
    this.begin(stream, node);
    if (offset >= end) return [];
    this.readAhead(stream, offset, end);
    const pieces: Uint8Array[] = [];
    for await (const piece of stream.reader.read({ offset, length: end - offset })) pieces.push(piece);
    return pieces;
  }

  /** The same, when all of it is at hand; undefined when something must be waited for. */
  readNow(node: number, offset: number, length: number): Uint8Array[] | undefined {
    const stream = this.known(node);
    if (stream === undefined) return undefined;
    const end = Math.min(stream.reader.size, offset + length);
    if (offset >= end) return [];
    const pieces = stream.reader.readNow({ offset, length: end - offset });
    if (pieces === undefined) return undefined;
    this.begin(stream, node);
    this.readAhead(stream, offset, end);
    return pieces;
  }

  /** Gets a small file ready that will be read soon: its chunks are asked for. Gives how many bytes that are. */
  prepare(node: number, entry: TreeEntry): number {
    const { content } = entry;
    if (content === null || content.level > 0 || content.length > SMALL_BYTES || this.streams.has(node)) return 0;
    this.add(node, entry);
    for (const { id } of contentRecords(content.records)) this.source.prefetch(CHUNK_TYPE.data, id);
    return content.length;
  }

  private known(node: number): FileStream | undefined {
    const known = this.streams.get(node);
    if (known === undefined) return undefined;
    this.streams.delete(node);
    this.streams.set(node, known);
    return known;
  }

  private add(node: number, entry: TreeEntry): FileStream {
    const isListed = (entry.content?.level ?? 0) > 0;
    const stream = {
      reader: new FileReader(this.source, entry),
      isListed,
      end: 0,
      run: 0,
      ahead: 0,
      expected: 0,
      begun: false,
    };
    this.streams.set(node, stream);
    for (const oldest of this.streams.keys()) {
      if (this.streams.size <= MOST_STREAMS) break;
      this.streams.delete(oldest);
    }
    if (isListed) this.dropListed();
    return stream;
  }

  private dropListed(): void {
    const listed = [...this.streams].filter(([, stream]) => stream.isListed);
    for (const [oldest] of listed.slice(0, Math.max(0, listed.length - MOST_LISTED))) this.streams.delete(oldest);
  }

  private begin(stream: FileStream, node: number): void {
    if (stream.begun) return;
    stream.begun = true;
    this.onBegin(node);
  }

  private readAhead(stream: FileStream, offset: number, end: number): void {
    if (Math.abs(offset - stream.end) > NEAR_BYTES) {
      stream.run = 0;
      stream.end = end;
      stream.ahead = end;
      stream.expected = end;
      return;
    }
    stream.run += 1;
    stream.end = Math.max(stream.end, end);
    const { source } = this;
    stream.expected = reachOut(stream, stream.expected, BROUGHT, (ids) => source.expect?.(ids));
    stream.ahead = reachOut(stream, stream.ahead, OPENED, (ids) => {
      for (const id of ids) source.prefetch(CHUNK_TYPE.data, id);
    });
  }
}

/** Hands on the chunks from `done` as far as `reach` goes, if that is worth it; gives up to where that was done. */
function reachOut(
  { reader, run, end }: FileStream,
  done: number,
  reach: Reach,
  use: (ids: readonly Uint8Array[]) => void,
): number {
  const from = Math.max(done, end);
  const until = Math.min(reader.size, end + reach.bytes);
  const enough = until - from < reach.stepBytes && until < reader.size;
  if (run < RUN_BEGINS || from >= until || enough) return done;
  // Whoever reads on meets the same failure, and is told.
  reader.chunkIds({ offset: from, length: until - from }, reach.chunks).then(use, () => undefined);
  return until;
}

/** Where data or a hole begins, as lseek(2) tells it. Rejects with `ENXIO` beyond the end, `EINVAL` for another `whence`. */
export function seekIn({ size, holes }: Pick<TreeEntry, 'size' | 'holes'>, offset: number, whence: number): number {
  if (whence !== SEEK_DATA && whence !== SEEK_HOLE) throw new Refusal('EINVAL');
  if (offset >= size) throw new Refusal('ENXIO');
  let position = offset;
  for (const [start, length] of holes ?? []) {
    if (start + length <= position) continue;
    if (whence === SEEK_HOLE) return Math.max(start, position);
    if (start > position) return position;
    position = start + length;
  }
  if (whence === SEEK_HOLE) return size;
  if (position >= size) throw new Refusal('ENXIO');
  return position;
}
