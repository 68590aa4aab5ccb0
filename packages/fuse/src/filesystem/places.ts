import {
  displayName,
  ENTRY_KIND,
  isCairnError,
  type ArchiveRecord,
  type ChunkSource,
  type Clock,
  type TreeEntry,
} from '@cairn/core';

import { attributesOf, type Attributes, type OwnerRules } from './attributes.ts';
import { Catalog, type CatalogEntry, type CatalogSource } from './catalog.ts';
import { DirectoryTable, type KnownDirectory } from './directory-table.ts';
import type { LinkCount } from './link-counts.ts';
import { ListingCache } from './listing-cache.ts';
import { HardLinkTable, MountedArchive } from './mounted-archive.ts';
import { directoryNode, HARD_LINKS, LATEST_LINKS, placeOfNode, ROOT_DIRECTORY } from './nodes.ts';
import type { Problems } from './problems.ts';
import { Refusal } from './refusal.ts';

/** Attributes, and for how many seconds they stay true. */
export interface Found {
  readonly attributes: Attributes;
  readonly validS: number;
  /** False when it is known to have no extended attributes. */
  readonly hasXattrs: boolean;
}

/** What a node is. */
export type Place =
  | { readonly is: 'catalog'; readonly node: number; readonly number: number; readonly catalog: Catalog }
  | { readonly is: 'latest'; readonly node: number; readonly ordinal: number; readonly catalog: Catalog }
  | { readonly is: 'directory'; readonly node: number; readonly directory: KnownDirectory }
  | { readonly is: 'entry'; readonly node: number; readonly directory: KnownDirectory; readonly ordinal: number };

/** Archives never change. */
const FOR_LONG_S = 3_600;
/** What may change: the list of archives, and a count of links that is not complete. */
const FOR_A_MOMENT_S = 1;

const VIRTUAL = { validS: FOR_A_MOMENT_S, hasXattrs: false } as const;

/** One archive, or all of a repository. */
export type Shown = { readonly archive: ArchiveRecord } | { readonly all: CatalogSource };

/** Where nodes are, and which nodes there are. */
export class Places {
  readonly root = directoryNode(ROOT_DIRECTORY);
  readonly catalog: Catalog | undefined;
  private readonly source: ChunkSource;
  private readonly rules: OwnerRules;
  private readonly table = new DirectoryTable();
  private readonly hardLinks = new HardLinkTable();
  private readonly listings: ListingCache;

  /** Rejects with `CORRUPT` when the archive's root does not decode. */
  constructor(source: ChunkSource, shown: Shown, rules: OwnerRules, clock: Clock, problems: Problems) {
    this.source = source;
    this.rules = rules;
    this.listings = new ListingCache(source);
    if ('all' in shown) this.catalog = new Catalog(shown.all, this.table, clock, problems);
    else this.addArchive(shown.archive, ROOT_DIRECTORY, this.root);
  }

  /** Rejects with ESTALE for a node that was never given, or that was forgotten. */
  at(node: number): Place {
    const { directory: number, ordinal } = placeOfNode(node);
    const { catalog } = this;
    if (catalog !== undefined && number === LATEST_LINKS && ordinal !== undefined) {
      return { is: 'latest', node, ordinal, catalog };
    }
    if (catalog !== undefined && ordinal === undefined && catalog.has(number)) {
      return { is: 'catalog', node, number, catalog };
    }
    if (number === HARD_LINKS && ordinal !== undefined) {
      const linked = this.hardLinks.find(ordinal);
      const directory = linked && this.table.find(linked.directory);
      if (directory !== undefined && linked !== undefined) {
        return { is: 'entry', node, directory, ordinal: linked.ordinal };
      }
    }
    const directory = this.table.find(number);
    if (directory === undefined) throw new Refusal('ESTALE');
    return ordinal === undefined ? { is: 'directory', node, directory } : { is: 'entry', node, directory, ordinal };
  }

  forget(node: number, count: number): void {
    const { directory, ordinal } = placeOfNode(node);
    if (ordinal === undefined) this.table.forget(directory, count);
  }

  /** What the archive says of a node. Rejects with EINVAL for one that is in no archive. */
  async entry(place: Place): Promise<TreeEntry> {
    if (place.is !== 'directory' && place.is !== 'entry') throw new Refusal('EINVAL');
    const { archive } = place.directory;
    const entry = await (place.is === 'directory'
      ? archive.entryOfDirectory(place.directory)
      : archive.entry(place.directory, place.ordinal));
    if (entry === undefined) throw new Refusal('ESTALE');
    return entry;
  }

  /** The node of an entry. */
  nodeOf(directory: KnownDirectory, ordinal: number, entry: TreeEntry): number {
    if (entry.kind === ENTRY_KIND.directory) return this.table.child(directory, ordinal).node;
    return directory.archive.nodeOf(directory, ordinal, entry);
  }

  /**
   * An entry as it is told to the kernel, counted as looked up when it is a directory. At once, unless it has several names that
   * must be counted first.
   */
  found(directory: KnownDirectory, ordinal: number, entry: TreeEntry): Found | Promise<Found> {
    if (entry.kind !== ENTRY_KIND.directory) {
      return this.foundAs(directory.archive.nodeOf(directory, ordinal, entry), directory.archive, entry);
    }
    const child = this.table.child(directory, ordinal);
    child.look();
    return this.foundAs(child.node, directory.archive, entry);
  }

  async attributes(place: Place): Promise<Found> {
    const { node } = place;
    switch (place.is) {
      case 'catalog':
        return { attributes: place.catalog.attributes(node, place.number, this.rules), ...VIRTUAL };
      case 'latest':
        return { attributes: place.catalog.linkAttributes(node, place.ordinal, this.rules), ...VIRTUAL };
      default:
        return await this.foundAs(node, place.directory.archive, await this.entry(place));
    }
  }

  /** What the catalog shows, as it is told to the kernel. Archives become known with this. */
  async foundInCatalog({ node, archive }: CatalogEntry, parent: Place): Promise<Found> {
    const { directory } = placeOfNode(node);
    if (archive !== undefined && this.table.find(directory) === undefined) {
      this.addArchive(archive, directory, parent.node);
    }
    return { ...(await this.attributes(this.at(node))), validS: FOR_A_MOMENT_S };
  }

  /** For messages: the path and the archive. */
  async describe(place: Place): Promise<string> {
    if (place.is === 'catalog' || place.is === 'latest') return 'the list of archives';
    const { archive } = place.directory;
    try {
      const path = await archive.pathOf(place.directory);
      const entry = place.is === 'entry' ? await archive.entry(place.directory, place.ordinal) : undefined;
      const shown = entry === undefined ? path : `${path === '/' ? '' : path}/${entry.name}`;
      return `${displayName(shown)} in ${archive.archive.name}`;
    } catch (error) {
      // The names on the way are damaged too: the archive is what can be said.
      if (isCairnError(error)) return `a file in ${archive.archive.name}`;
      throw error;
    }
  }

  private foundAs(node: number, archive: MountedArchive, entry: TreeEntry): Found | Promise<Found> {
    const counted = archive.linksOf(entry);
    const found = ({ links, certain }: LinkCount): Found => ({
      attributes: attributesOf(entry, node, links, this.rules),
      validS: certain ? FOR_LONG_S : FOR_A_MOMENT_S,
      hasXattrs: entry.xattrs !== null,
    });
    return counted instanceof Promise ? counted.then(found) : found(counted);
  }

  private addArchive(archive: ArchiveRecord, number: number, parentNode: number): void {
    this.table.addRoot(new MountedArchive(this.source, archive, this.listings, this.hardLinks), number, parentNode);
  }
}
