import { asBuffer } from '../codec/as-buffer.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { leafRecords, type ChunkSource } from './chunk-source.ts';
import { contentRecords, type ContentReference, type ContentRecord } from './content.ts';
import { directoryContent } from './directory-content.ts';
import { decodeEntry, entryName, type TreeEntry } from './entry.ts';

/** Chunks of one directory that are asked for before they are needed. */
const LEAVES_AHEAD = 8;

/** Says of a directory in a directory whether it is going to be read. */
export type Enters = (name: string, content: ContentReference) => boolean;

/** An entry as it lies in a directory's stream. `bytes` is a view. */
export interface EncodedEntry {
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Reads a directory's stream chunk by chunk; memory is one chunk, whatever the directory's size. Checks that lengths are in
 * bounds and names ascend.
 */
export class DirectoryReader {
  private readonly source: ChunkSource;
  private readonly content: ContentReference;
  private readonly enters: Enters | undefined;
  private readonly leaves: AsyncGenerator<ContentRecord>;
  private buffer: Buffer = Buffer.alloc(0);
  private at = 0;
  private last: string | undefined;
  private done = false;
  private begun = false;

  /** @param enters which of the directories in it are read next: a source that is far away fetches these before. */
  constructor(source: ChunkSource, content: ContentReference, enters?: Enters) {
    this.source = source;
    this.content = content;
    this.enters = enters;
    this.leaves = leafRecords(source, content);
  }

  /** The next entry if it is in memory already; `'more'` when `load` must be awaited first; undefined at the end. */
  next(): EncodedEntry | 'more' | undefined {
    const entry = takeEntry(this.buffer, this.at, this.done);
    if (typeof entry !== 'object') return entry;
    if (this.last !== undefined && entry.name <= this.last) throw damaged('its names are not in order');
    this.at += 4 + entry.bytes.length;
    this.last = entry.name;
    return entry;
  }

  /** Reads one chunk more. */
  async load(): Promise<void> {
    if (!this.begun) this.wantLeaves();
    const leaf = await this.leaves.next();
    if (leaf.done === true) {
      this.done = true;
      return;
    }
    const chunk = await this.source.chunk(CHUNK_TYPE.tree, leaf.value.id);
    if (chunk.length !== leaf.value.length) throw damaged('a chunk is not as long as the reference says');
    const rest = this.buffer.subarray(this.at);
    this.buffer = rest.length === 0 ? asBuffer(chunk) : Buffer.concat([rest, chunk]);
    this.at = 0;
    this.wantChildren();
  }

  private wantLeaves(): void {
    this.begun = true;
    const { level, records } = this.content;
    if (level === 0)
      this.source.ahead?.(
        CHUNK_TYPE.tree,
        contentRecords(records)
          .slice(1, 1 + LEAVES_AHEAD)
          .map(({ id }) => id),
      );
  }

  /** Tells which chunk is the first of each directory that begins in what is in memory. */
  private wantChildren(): void {
    const { enters } = this;
    const { ahead } = this.source;
    if (enters === undefined || ahead === undefined) return;
    const ids: Uint8Array[] = [];
    for (let at = this.at; at + 4 <= this.buffer.length;) {
      const length = this.buffer.readUInt32LE(at);
      const bytes = this.buffer.subarray(at + 4, at + 4 + length);
      at += 4 + length;
      if (length > LIMITS.treeEntryBytes || bytes.length < length) break;
      const content = directoryContent(bytes);
      const first = content?.level === 0 ? contentRecords(content.records)[0] : undefined;
      if (content !== undefined && first !== undefined && enters(entryName(bytes), content)) ids.push(first.id);
    }
    ahead(CHUNK_TYPE.tree, ids);
  }
}

/**
 * The entry that begins at `at`; `'more'` when `buffer` ends before it does; undefined when nothing is left and `done` says that
 * nothing comes. Rejects with `CORRUPT`.
 */
export function takeEntry(buffer: Buffer, at: number, done: boolean): EncodedEntry | 'more' | undefined {
  const left = buffer.length - at;
  const length = left < 4 ? 0 : buffer.readUInt32LE(at);
  if (length > LIMITS.treeEntryBytes) throw damaged('an entry is too long');
  if (left < 4 + length) {
    if (!done) return 'more';
    if (left !== 0) throw damaged('it ends inside an entry');
    return undefined;
  }
  const bytes = buffer.subarray(at + 4, at + 4 + length);
  return { name: entryName(bytes), bytes };
}

function damaged(how: string): CairnError {
  return new CairnError('CORRUPT', `a directory is damaged: ${how}`, {
    hint: 'Run `cairn check` to see what is affected.',
  });
}

/** The decoded entries of a directory, in name order. */
export async function* readDirectory(source: ChunkSource, content: ContentReference): AsyncGenerator<TreeEntry> {
  const reader = new DirectoryReader(source, content);
  for (;;) {
    const entry = reader.next();
    if (entry === undefined) return;
    if (entry === 'more') await reader.load();
    else yield decodeEntry(entry.bytes);
  }
}
