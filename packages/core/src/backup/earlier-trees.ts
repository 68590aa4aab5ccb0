import { CairnError } from '../errors.ts';
import type { FileStatus } from '../host/at-calls.ts';
import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { contentRecords, type ContentReference, type StoreChunk } from '../tree/content.ts';
import { DirectoryReader, type EncodedEntry } from '../tree/directory-reader.ts';
import { decodeEntry, entryContent, type TreeEntry } from '../tree/entry.ts';

/** The archive that a run compares with. */
export interface EarlierArchive {
  readonly root: TreeEntry;
  readonly source: ChunkSource;
  /** When the run that made it began and ended. */
  readonly startNs: bigint;
  readonly endNs: bigint;
}

/** A file whose times are this close to the start of the earlier run may have changed unseen: FAT keeps 2 s. */
const RACY_NS = 2_000_000_000n;
/**
 * A modification time that was so far ahead was set by somebody: a change would have replaced it. More than clocks and time
 * zones differ (FAT keeps local time).
 */
const SET_AHEAD_NS = 86_400_000_000_000n;

/** An earlier tree that cannot be read only costs reading files again. Anything but damage is thrown on. */
export function onlyDamage(error: unknown): void {
  const tolerated = ['CORRUPT', 'OBJECT_MISSING', 'RIGHT_MISSING'];
  if (!(error instanceof CairnError) || !tolerated.includes(error.code)) throw error;
}

function unlessDamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    onlyDamage(error);
    return undefined;
  }
}

/** The entries of one directory of the earlier archive, asked for in name order. */
export class EarlierDirectory {
  private reader: DirectoryReader | undefined;
  private ahead: EncodedEntry | undefined;

  constructor(source: ChunkSource, content: ContentReference) {
    // Most directories are still there, and will be compared.
    this.reader = new DirectoryReader(source, content, () => true);
  }

  /** The entry of that name; undefined when there is none; `'more'` when `load` must be awaited first. */
  find(name: string): EncodedEntry | 'more' | undefined {
    try {
      while (this.reader !== undefined) {
        const entry = this.ahead ?? this.reader.next();
        if (entry === 'more') return 'more';
        this.ahead = entry;
        if (entry === undefined || entry.name > name) return undefined;
        this.ahead = undefined;
        if (entry.name === name) return entry;
      }
    } catch (error) {
      this.forget(error);
    }
    return undefined;
  }

  async load(): Promise<void> {
    try {
      await this.reader?.load();
    } catch (error) {
      this.forget(error);
    }
  }

  private forget(error: unknown): void {
    onlyDamage(error);
    this.reader = undefined;
    this.ahead = undefined;
  }
}

/** Decides what need not be read again. */
export class EarlierTrees {
  private readonly archive: EarlierArchive | undefined;
  private readonly isStored: (id: Uint8Array) => boolean;
  private readonly store: StoreChunk;

  /** @param isStored true when a chunk is in a pack; marks the pack as used by this run. */
  constructor(archive: EarlierArchive | undefined, isStored: (id: Uint8Array) => boolean, store: StoreChunk) {
    this.archive = archive;
    this.isStored = isStored;
    this.store = store;
  }

  get root(): ContentReference | undefined {
    return this.archive?.root.content ?? undefined;
  }

  /** The content of an earlier entry; undefined when there is none, or none that can be read. */
  contentOf(entry: EncodedEntry | undefined): ContentReference | undefined {
    return entry && (unlessDamaged(() => entryContent(entry.bytes)) ?? undefined);
  }

  /** An earlier entry; undefined when it cannot be read. */
  decoded(entry: EncodedEntry): TreeEntry | undefined {
    return unlessDamaged(() => decodeEntry(entry.bytes));
  }

  directory(content: ContentReference | undefined): EarlierDirectory | undefined {
    const { archive } = this;
    return archive === undefined || content === undefined ? undefined : new EarlierDirectory(archive.source, content);
  }

  /** False when the file could have changed right after the earlier run read it, within the same tick of its times. */
  isTrusted(status: FileStatus): boolean {
    if (this.archive === undefined) return false;
    const { startNs, endNs } = this.archive;
    const limit = startNs - RACY_NS;
    return status.ctimeNs < limit && (status.mtimeNs < limit || status.mtimeNs > endNs + SET_AHEAD_NS);
  }

  /** True when every chunk of a content without lists is in a pack. */
  holds(content: ContentReference): boolean {
    return contentRecords(content.records).every((record) => this.isStored(record.id));
  }

  /** As `holds`, for a content with lists: every list and every chunk. The lists are passed to `store`, which keeps them. */
  async holdsListed(content: ContentReference): Promise<boolean> {
    const { archive, isStored, store } = this;
    if (archive === undefined || !this.holds(content)) return false;
    const source: ChunkSource = {
      async chunk(type, id) {
        const list = await archive.source.chunk(type, id);
        store(type, list);
        return list;
      },
    };
    try {
      for await (const record of leafRecords(source, content)) if (!isStored(record.id)) return false;
      return true;
    } catch (error) {
      onlyDamage(error);
      return false;
    }
  }
}
