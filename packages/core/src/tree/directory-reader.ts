import { asBuffer } from '../codec/as-buffer.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { leafRecords, type ChunkSource } from './chunk-source.ts';
import type { ContentReference, ContentRecord } from './content.ts';
import { decodeEntry, entryName, type TreeEntry } from './entry.ts';

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
  private readonly leaves: AsyncGenerator<ContentRecord>;
  private buffer: Buffer = Buffer.alloc(0);
  private at = 0;
  private last: string | undefined;
  private done = false;

  constructor(source: ChunkSource, content: ContentReference) {
    this.source = source;
    this.leaves = leafRecords(source, content);
  }

  /** The next entry if it is in memory already; `'more'` when `load` must be awaited first; undefined at the end. */
  next(): EncodedEntry | 'more' | undefined {
    const left = this.buffer.length - this.at;
    if (left < 4) return this.short(left);
    const length = this.buffer.readUInt32LE(this.at);
    if (length > LIMITS.treeEntryBytes) throw damaged('an entry is too long');
    if (left < 4 + length) return this.short(left);
    const bytes = this.buffer.subarray(this.at + 4, this.at + 4 + length);
    this.at += 4 + length;
    const name = entryName(bytes);
    if (this.last !== undefined && name <= this.last) throw damaged('its names are not in order');
    this.last = name;
    return { name, bytes };
  }

  private short(left: number): 'more' | undefined {
    if (!this.done) return 'more';
    if (left !== 0) throw damaged('it ends inside an entry');
    return undefined;
  }

  /** Reads one chunk more. */
  async load(): Promise<void> {
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
  }
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
