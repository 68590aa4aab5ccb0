import {
  decodeEntry,
  EMPTY_CONTENT,
  ENTRY_KIND,
  type ArchiveRecord,
  type ByteString,
  type ChunkSource,
  type DirectoryListing,
  type TreeEntry,
} from '@cairn/core';

import type { KnownDirectory } from './directory-table.ts';
import { grown } from './grown.ts';
import { LinkCounts, type LinkCount } from './link-counts.ts';
import { LinkTable } from './link-table.ts';
import type { ListingCache } from './listing-cache.ts';
import { entryNode, HARD_LINKS } from './nodes.ts';

/** The files with several names that were met, over all archives: their nodes belong to no directory. */
export class HardLinkTable {
  /** Of each, the number of the directory where it was met first, and which entry of it. */
  private places = new Uint32Array(128);
  private count = 0;

  /** Which one it is. */
  add(directory: number, ordinal: number): number {
    if (2 * this.count === this.places.length) this.places = grown(this.places, 2 * this.places.length);
    this.places.set([directory, ordinal], 2 * this.count);
    return this.count++;
  }

  find(which: number): { readonly directory: number; readonly ordinal: number } | undefined {
    if (which >= this.count) return undefined;
    return { directory: this.places[2 * which] as number, ordinal: this.places[2 * which + 1] as number };
  }
}

const ONE_LINK: LinkCount = { links: 1, certain: true };

/** One archive as it is shown: its entries by directory and number. */
export class MountedArchive {
  readonly archive: ArchiveRecord;
  private readonly listings: ListingCache;
  private readonly hardLinks: HardLinkTable;
  private readonly links = new LinkTable();
  private readonly linkCounts: LinkCounts;
  private readonly root: TreeEntry;

  /** Rejects with `CORRUPT` when the archive's root does not decode. */
  constructor(source: ChunkSource, archive: ArchiveRecord, listings: ListingCache, hardLinks: HardLinkTable) {
    this.archive = archive;
    this.listings = listings;
    this.hardLinks = hardLinks;
    this.root = decodeEntry(archive.descriptor.root, true);
    this.linkCounts = new LinkCounts(source, this.root.content ?? EMPTY_CONTENT, this.links);
  }

  /** What is in a directory. */
  async listing(directory: KnownDirectory): Promise<DirectoryListing> {
    return await this.listings.get(
      directory.number,
      async () => (await this.entryOfDirectory(directory))?.content ?? EMPTY_CONTENT,
    );
  }

  /** The entry of a directory itself. Undefined when the archive has no such entry, which the kernel was never told of. */
  async entryOfDirectory({ parent, ordinal }: KnownDirectory): Promise<TreeEntry | undefined> {
    return parent === undefined ? this.root : await this.entry(parent, ordinal);
  }

  async entry(directory: KnownDirectory, ordinal: number): Promise<TreeEntry | undefined> {
    const found = await (await this.listing(directory)).at(ordinal);
    return found === undefined ? undefined : decodeEntry(found.bytes);
  }

  /** The node of an entry that is no directory: the same for all names of one file. */
  nodeOf(directory: KnownDirectory, ordinal: number, { link, inode }: TreeEntry): number {
    if (link === null) return entryNode(directory.number, ordinal);
    const file = { link, inode };
    let which = this.links.ordinal(file);
    if (which === undefined) {
      // The look-up is counted for good: what leads to the file stays known.
      directory.look();
      which = this.hardLinks.add(directory.number, ordinal);
      this.links.setOrdinal(file, which);
    }
    return entryNode(HARD_LINKS, which);
  }

  /** At once for a file with one name. */
  linksOf({ kind, link, inode }: TreeEntry): LinkCount | Promise<LinkCount> {
    return link === null || kind === ENTRY_KIND.directory ? ONE_LINK : this.linkCounts.count({ link, inode });
  }

  /** The path of a directory in the archive, for messages. */
  async pathOf(directory: KnownDirectory): Promise<ByteString> {
    const names: ByteString[] = [];
    for (let at = directory; at.parent !== undefined; at = at.parent) {
      const entry = await this.entryOfDirectory(at);
      names.unshift(entry?.name ?? '?');
    }
    return `/${names.join('/')}`;
  }
}
