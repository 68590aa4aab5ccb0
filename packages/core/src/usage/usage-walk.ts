import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { IdSet } from '../index/id-set.ts';
import { LIMITS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import {
  CONTENT_RECORD_BYTES,
  contentRecords,
  decodeChunkList,
  type ContentRecord,
  type ContentReference,
} from '../tree/content.ts';
import { DirectoryReader, type EncodedEntry } from '../tree/directory-reader.ts';
import { encodedKind } from '../tree/encoded-entry.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import type { OwnerMarks } from './owner-marks.ts';

/**
 * Marks the chunks that archives need. Reads trees and chunk lists, never the content of files. What is the same in several
 * archives is walked twice at most: for the first, and once more to learn that there is a second.
 */
export class UsageWalk {
  private readonly suite: CryptoSuite;
  private readonly source: ChunkSource;
  private readonly marks: OwnerMarks;
  private readonly signal: AbortSignal | undefined;
  /** Directories of several chunks, as `OwnerMarks` keeps those of one: walked at all, for an owner, for several. */
  private readonly walked = new IdSet();
  private readonly walkedFor = new IdSet();
  private readonly walkedForSeveral = new IdSet();

  constructor(suite: CryptoSuite, source: ChunkSource, marks: OwnerMarks, signal: AbortSignal | undefined) {
    this.suite = suite;
    this.source = source;
    this.marks = marks;
    this.signal = signal;
  }

  /** Marks what `archive` needs as needed by `owner`. Rejects when a tree cannot be read, or the signal fired. */
  async archive(archive: ArchiveRecord, owner: number): Promise<void> {
    const source = this.markingSource(owner);
    const stack: DirectoryReader[] = [];
    this.enter(stack, source, decodeEntry(archive.descriptor.root, true), owner);
    for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
      const encoded = open.next();
      if (encoded === undefined) stack.pop();
      else if (encoded === 'more') {
        throwIfCancelled(this.signal, 'stats');
        await open.load();
      } else {
        const work = this.entry(stack, source, encoded, owner);
        if (work !== undefined) await work;
      }
    }
  }

  private entry(
    stack: DirectoryReader[],
    source: ChunkSource,
    encoded: EncodedEntry,
    owner: number,
  ): Promise<void> | undefined {
    const kind = encodedKind(encoded);
    if (kind === ENTRY_KIND.directory) this.enter(stack, source, decodeEntry(encoded.bytes), owner);
    if (kind !== ENTRY_KIND.file) return undefined;
    const { content } = decodeEntry(encoded.bytes);
    if (content === null) return undefined;
    const records = contentRecords(content.records);
    if (content.level > 0) return this.lists(source, content.level, records, owner);
    for (const { id, length } of records) this.marks.need(id, length, owner);
    return undefined;
  }

  private enter(stack: DirectoryReader[], source: ChunkSource, { content }: TreeEntry, owner: number): void {
    if (content === null || content.length === 0 || !this.mustWalk(content, owner)) return;
    if (stack.length >= LIMITS.treeDepth) {
      throw new CairnError('CORRUPT', 'directories are nested too deeply', {
        hint: 'Run `cairn check` to see what is affected.',
      });
    }
    stack.push(new DirectoryReader(source, content));
  }

  private mustWalk({ level, records }: ContentReference, owner: number): boolean {
    if (level === 0 && records.length === CONTENT_RECORD_BYTES) return this.marks.enter(records.subarray(0, 32), owner);
    const shape = Uint8Array.of(level);
    const key = this.suite.sha256(shape, records);
    const number = new Uint8Array(Uint32Array.of(owner).buffer);
    if (this.walkedForSeveral.has(key) || !this.walkedFor.add(this.suite.sha256(shape, records, number))) return false;
    if (!this.walked.add(key)) this.walkedForSeveral.add(key);
    return true;
  }

  /** Marks the chunks below lists of `level`. */
  private async lists(
    source: ChunkSource,
    level: number,
    records: readonly ContentRecord[],
    owner: number,
  ): Promise<void> {
    for (const { id, length } of records) {
      if (!this.marks.enter(id, owner)) continue;
      throwIfCancelled(this.signal, 'stats');
      const below = decodeChunkList(await source.chunk(CHUNK_TYPE.list, id), length, level - 1);
      if (level > 1) await this.lists(source, level - 1, below, owner);
      else for (const record of below) this.marks.need(record.id, record.length, owner);
    }
  }

  /** Whatever is read of trees and lists is needed, too. */
  private markingSource(owner: number): ChunkSource {
    return {
      chunk: async (type, id) => {
        const bytes = await this.source.chunk(type, id);
        this.marks.need(id, bytes.length, owner);
        return bytes;
      },
    };
  }
}
