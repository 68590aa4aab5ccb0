import { CHUNK_TYPE, type ChunkType } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { IdSet } from '../index/id-set.ts';
import { LIMITS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { CONTENT_RECORD_BYTES, decodeChunkList, type ContentReference } from '../tree/content.ts';
import { DirectoryReader } from '../tree/directory-reader.ts';
import { ENTRY_KIND, entryContent, entryKind } from '../tree/entry.ts';

/** Who is told what archives need. */
export interface Marks {
  /** An archive needs the chunk. */
  mark(type: ChunkType, id: Uint8Array): void;
  /** True the first time that it is called for the chunk. */
  visit(type: ChunkType, id: Uint8Array): boolean;
}

/**
 * Marks what archives need. Trees and lists of chunks are read, contents are not: file chunks stand in the entries. A directory
 * that several archives share is read once, and so is everything below it, also when archives are marked side by side.
 */
export class TreeMark {
  private readonly marks: Marks;
  private readonly trees: ChunkSource;
  private readonly suite: CryptoSuite;
  private readonly pause: () => void;
  /** Directories of several chunks, and lists of lists, by a hash of what refers to them. */
  private readonly seen = new IdSet();

  /** @param pause called before each read; what it throws ends the walk. */
  constructor(marks: Marks, source: ChunkSource, suite: CryptoSuite, pause: () => void) {
    this.marks = marks;
    this.suite = suite;
    this.pause = pause;
    this.trees = {
      chunk: (type, id) => {
        marks.mark(type, id);
        return source.chunk(type, id);
      },
    };
  }

  /**
   * Marks all that an archive needs. Rejects with `CORRUPT` or `OBJECT_MISSING` when a part of its trees cannot be read: then
   * nobody can say what it needs, and nothing may be given up.
   */
  async archive({ name, descriptor }: ArchiveRecord): Promise<void> {
    try {
      await this.walk(entryContent(descriptor.root));
    } catch (error) {
      if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
      throw new CairnError(error.code, `what archive ${name} needs cannot be told: ${error.message}`, {
        hint: 'Run `cairn check`. Once a damaged archive is deleted and its grace is over, the others can be compacted.',
        cause: error,
      });
    }
  }

  private async walk(root: ContentReference | null): Promise<void> {
    const stack: DirectoryReader[] = [];
    this.enter(stack, root);
    for (let reader = stack.at(-1); reader !== undefined; reader = stack.at(-1)) {
      const entry = reader.next();
      if (entry === undefined) stack.pop();
      else if (entry === 'more') {
        this.pause();
        await reader.load();
      } else {
        const content = entryContent(entry.bytes);
        if (entryKind(entry.bytes) === ENTRY_KIND.directory) this.enter(stack, content);
        else if (content !== null) await this.records(content.level, content.records);
      }
    }
  }

  private enter(stack: DirectoryReader[], content: ContentReference | null): void {
    if (content === null || content.length === 0 || !this.isNew(content)) return;
    if (stack.length >= LIMITS.treeDepth) throw new CairnError('CORRUPT', 'directories are nested too deeply');
    stack.push(new DirectoryReader(this.trees, content));
  }

  /** True the first time that the directory is met. */
  private isNew({ level, records }: ContentReference): boolean {
    const single = level === 0 && records.length === CONTENT_RECORD_BYTES;
    if (single) return this.marks.visit(CHUNK_TYPE.tree, records.subarray(0, 32));
    return this.seen.add(this.suite.sha256(Uint8Array.of(level), records));
  }

  /** Marks the chunks of a file: the common case without a promise. */
  private records(level: number, records: Buffer): Promise<void> | undefined {
    if (level > 0) return this.lists(level, records);
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      this.marks.mark(CHUNK_TYPE.data, records.subarray(at, at + 32));
    }
    return undefined;
  }

  private async lists(level: number, records: Buffer): Promise<void> {
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      const id = records.subarray(at, at + 32);
      if (!this.isNewList(level, id)) continue;
      this.pause();
      const list = await this.trees.chunk(CHUNK_TYPE.list, id);
      decodeChunkList(list, Number(records.readBigUInt64LE(at + 32)), level - 1);
      await this.records(level - 1, Buffer.from(list.buffer, list.byteOffset, list.byteLength));
    }
  }

  /** A list means something else at another level, and somebody might refer to it wrongly on purpose. */
  private isNewList(level: number, id: Uint8Array): boolean {
    const type: ChunkType = CHUNK_TYPE.list;
    return level === 1 ? this.marks.visit(type, id) : this.seen.add(this.suite.sha256(Uint8Array.of(level), id));
  }
}
