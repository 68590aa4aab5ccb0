import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import { entryName } from '../tree/entry.ts';
import type { EntryArena } from './entry-arena.ts';
import type { Segment } from './file-content.ts';
import type { LargeFile } from './large-file.ts';
import type { LinkKey } from './link-table.ts';
import type { TargetDirectory } from './target-directory.ts';

/** Where the entries of a directory of the archive go. */
export interface Site {
  readonly directory: TargetDirectory;
  /** Archive path of the directory, whose names may have been stripped from the target. */
  readonly path: ByteString;
}

/** An entry that is still to be made, kept encoded: a tenth of the memory of a decoded one. */
export class PendingEntry {
  readonly site: Site;
  readonly linkKey: LinkKey | undefined;
  private readonly arena: EntryArena;
  private readonly at: number;
  readonly encodedLength: number;

  constructor(site: Site, encoded: Uint8Array, linkKey: LinkKey | undefined, arena: EntryArena) {
    this.site = site;
    this.linkKey = linkKey;
    this.arena = arena;
    this.at = arena.add(encoded);
    this.encodedLength = encoded.length;
  }

  /** The encoded tree entry. A view, not to be kept. */
  get encoded(): Uint8Array {
    return this.arena.view(this.at, this.encodedLength);
  }

  get name(): ByteString {
    return entryName(this.encoded);
  }

  /** Archive path. */
  get path(): ByteString {
    return childPath(this.site.path, this.name);
  }
}

/** A file of one chunk at most, which a worker makes in one go. */
export class SmallFile extends PendingEntry {
  /** Apparent bytes. */
  readonly size: number;

  constructor(site: Site, encoded: Uint8Array, linkKey: LinkKey | undefined, arena: EntryArena, size: number) {
    super(site, encoded, linkKey, arena);
    this.size = size;
  }
}

/** A chunk as a content reference names it. */
export interface NamedChunk {
  readonly id: Uint8Array;
  readonly length: number;
}

/** A part of a file of several chunks. */
export interface LargePart {
  readonly file: LargeFile;
  readonly segments: readonly Segment[];
}

/** What is to be done with a chunk, or with none: make a file of it, or write it as a part of one. */
export class ChunkUse {
  readonly file: SmallFile | undefined;
  readonly part: LargePart | undefined;
  /** Bytes of plaintext; 0 when there is no chunk. */
  readonly length: number;
  /** Where the chunk lies: position in `ChunkIndex.packs`, −1 while unknown; and there. */
  pack = -1;
  offset = 0;
  storedLength = 0;
  session = 0;
  private readonly arena: EntryArena;
  private readonly idAt: number;

  constructor(what: SmallFile | LargePart, chunk: NamedChunk | undefined, arena: EntryArena) {
    this.file = what instanceof SmallFile ? what : undefined;
    this.part = what instanceof SmallFile ? undefined : what;
    this.length = chunk?.length ?? 0;
    this.arena = arena;
    this.idAt = chunk === undefined ? -1 : arena.add(chunk.id);
  }

  /** The chunk's id; undefined when there is no chunk. A view, not to be kept. */
  get id(): Uint8Array | undefined {
    return this.idAt === -1 ? undefined : this.arena.view(this.idAt, 32);
  }

  /** Position of the file's directory in the walk. */
  get order(): number {
    return (this.file ?? this.part?.file)?.site.directory.order ?? 0;
  }
}
