import { EntryArena } from './entry-arena.ts';
import type { Segment } from './file-content.ts';
import type { LargeFile } from './large-file.ts';
import type { LinkKey } from './link-table.ts';
import { ChunkUse, PendingEntry, SmallFile, type NamedChunk, type Site } from './pending-entry.ts';
import type { TargetDirectory } from './target-directory.ts';

/** A window is full with so many entries, bytes of content or files of several chunks: what a restore keeps in mind at once. */
const WINDOW_ENTRIES = 16_384;
const WINDOW_BYTES = 256 * 1024 * 1024;
const WINDOW_LARGE_FILES = 128;
/** What it takes to make threads worth their start. */
const HEAVY_ENTRIES = 512;
const HEAVY_BYTES = 4 * 1024 * 1024;

/** A stretch of the walk: what is read, sorted by pack, and written together. */
export class Window {
  /** What is to be written with chunks. */
  readonly uses: ChunkUse[] = [];
  /** Files without content. */
  readonly empty: ChunkUse[] = [];
  /** Symlinks, FIFOs, sockets and devices. */
  readonly others: PendingEntry[] = [];
  /** Further names of files that this or an earlier window makes. */
  readonly links: PendingEntry[] = [];
  /** Directories that the walk has left, inner ones before outer ones. */
  readonly left: TargetDirectory[] = [];
  private readonly arena = new EntryArena();
  private entries = 0;
  private bytes = 0;
  private largeFiles = 0;

  /** @param chunk its content; undefined for a file that has none. */
  addSmallFile(
    site: Site,
    encoded: Uint8Array,
    linkKey: LinkKey | undefined,
    size: number,
    chunk: NamedChunk | undefined,
  ): void {
    this.entries += 1;
    this.bytes += chunk?.length ?? 0;
    const file = new SmallFile(site, encoded, linkKey, this.arena, size);
    const use = new ChunkUse(file, chunk, this.arena);
    if (chunk === undefined) this.empty.push(use);
    else this.uses.push(use);
  }

  addLargeFile(): void {
    this.largeFiles += 1;
  }

  addPart(file: LargeFile, chunk: NamedChunk, segments: readonly Segment[]): void {
    this.entries += 1;
    this.bytes += chunk.length;
    file.expectChunk();
    this.uses.push(new ChunkUse({ file, segments }, chunk, this.arena));
  }

  addOther(site: Site, encoded: Uint8Array, linkKey: LinkKey | undefined): void {
    this.entries += 1;
    this.others.push(new PendingEntry(site, encoded, linkKey, this.arena));
  }

  addLink(site: Site, encoded: Uint8Array, linkKey: LinkKey): void {
    this.entries += 1;
    this.links.push(new PendingEntry(site, encoded, linkKey, this.arena));
  }

  leave(directory: TargetDirectory): void {
    this.entries += 1;
    this.left.push(directory);
  }

  get full(): boolean {
    return this.entries >= WINDOW_ENTRIES || this.bytes >= WINDOW_BYTES || this.largeFiles >= WINDOW_LARGE_FILES;
  }

  /** Worth starting threads for. */
  get heavy(): boolean {
    return this.entries >= HEAVY_ENTRIES || this.bytes >= HEAVY_BYTES;
  }
}
