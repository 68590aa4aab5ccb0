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
import { LinkCounts, linkKey, type LinkCount } from './link-counts.ts';
import type { ListingCache } from './listing-cache.ts';
import { entryNode, HARD_LINKS } from './nodes.ts';

/** Where a file with several names was met first. */
export interface LinkedPlace {
  readonly directory: KnownDirectory;
  readonly ordinal: number;
}

/** The files with several names that were met, over all archives: their nodes belong to no directory. */
export class HardLinkTable {
  private readonly places: LinkedPlace[] = [];

  add(place: LinkedPlace): number {
    this.places.push(place);
    return entryNode(HARD_LINKS, this.places.length - 1);
  }

  find(ordinal: number): LinkedPlace | undefined {
    return this.places[ordinal];
  }
}

const ONE_LINK: LinkCount = { links: 1, certain: true };

/** One archive as it is shown: its entries by directory and number. */
export class MountedArchive {
  readonly archive: ArchiveRecord;
  private readonly listings: ListingCache;
  private readonly hardLinks: HardLinkTable;
  private readonly nodesOfLinks = new Map<string, number>();
  private readonly linkCounts: LinkCounts;
  private readonly root: TreeEntry;

  /** Rejects with `CORRUPT` when the archive's root does not decode. */
  constructor(source: ChunkSource, archive: ArchiveRecord, listings: ListingCache, hardLinks: HardLinkTable) {
    this.archive = archive;
    this.listings = listings;
    this.hardLinks = hardLinks;
    this.root = decodeEntry(archive.descriptor.root, true);
    this.linkCounts = new LinkCounts(source, this.root.content ?? EMPTY_CONTENT);
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
    const key = linkKey({ link, inode });
    const known = this.nodesOfLinks.get(key);
    if (known !== undefined) return known;
    // The look-up is counted for good: what leads to the file stays known.
    directory.lookups += 1;
    const node = this.hardLinks.add({ directory, ordinal });
    this.nodesOfLinks.set(key, node);
    return node;
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
