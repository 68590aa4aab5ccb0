import {
  CairnError,
  decodeEntry,
  DirectoryListing,
  displayName,
  EMPTY_CONTENT,
  ENTRY_KIND,
  type ByteString,
  type ChunkSource,
  type ContentReference,
  type TreeEntry,
  type Turns,
} from '@cairn/core';

import { entryJson } from '../shapes/index.ts';
import { JsonRowsBuilder, type JsonRows } from './json-rows.ts';

/** What entries of a directory can be sorted by. */
export const ENTRY_SORTS = ['name', 'size', 'mtime', 'type'] as const;
export type EntrySort = (typeof ENTRY_SORTS)[number];

/** Which entries of a directory, and in which order. */
export interface EntryPage {
  readonly sort: EntrySort;
  readonly descending: boolean;
  readonly offset: number;
  readonly limit: number;
}

/** A directory, ready to be shown page by page. */
export interface ShownDirectory {
  /** Entries that are shown. */
  readonly count: number;
  /** What it takes to keep it. */
  readonly memoryBytes: number;
  /** Pieces of the inside of a JSON array. */
  page(page: EntryPage): Promise<readonly Uint8Array[]>;
}

/** Entries up to which a directory is decoded whole, 260 bytes each; a larger one is read where it is looked at. */
const WHOLE_ENTRIES = 50_000;

/**
 * Reads a directory.
 * @param shows which of its names are shown; undefined: all.
 */
export async function readShownDirectory(
  source: ChunkSource,
  content: ContentReference | null,
  path: ByteString,
  turns: Turns,
  shows?: (name: ByteString) => boolean,
): Promise<ShownDirectory> {
  const listing = await DirectoryListing.load(source, content ?? EMPTY_CONTENT);
  if (listing.count > WHOLE_ENTRIES && shows === undefined) return new LargeDirectory(listing, path);
  const builder = new WholeDirectoryBuilder(path);
  const cursor = listing.from(0);
  for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
    if (entry === 'more') {
      await cursor.load();
      continue;
    }
    if (shows?.(entry.name) === false) continue;
    builder.add(decodeEntry(entry.bytes));
    const wait = turns.yieldIfDue();
    if (wait !== undefined) await wait;
  }
  return builder.finish();
}

/** The path of an entry of the directory at `directory`. */
export function pathIn(directory: ByteString, name: ByteString): ByteString {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}

class WholeDirectoryBuilder {
  private readonly path: ByteString;
  private readonly rows = new JsonRowsBuilder();
  private readonly sizes: number[] = [];
  private readonly mtimes: bigint[] = [];
  private readonly kinds: number[] = [];

  constructor(path: ByteString) {
    this.path = path;
  }

  add(entry: TreeEntry): void {
    this.rows.add(entryJson(pathIn(this.path, entry.name), entry));
    this.sizes.push(entry.size);
    this.mtimes.push(entry.mtimeNs);
    // Directories come first when sorted by type.
    this.kinds.push(entry.kind === ENTRY_KIND.directory ? 0 : entry.kind);
  }

  finish(): ShownDirectory {
    return new WholeDirectory(this.rows.finish(), {
      size: Float64Array.from(this.sizes),
      mtime: BigInt64Array.from(this.mtimes),
      type: Uint8Array.from(this.kinds),
    });
  }
}

interface SortKeys {
  readonly size: Float64Array;
  readonly mtime: BigInt64Array;
  readonly type: Uint8Array;
}

/** A directory that is in memory; each order of it is found out once. */
class WholeDirectory implements ShownDirectory {
  readonly count: number;
  private readonly rows: JsonRows;
  private readonly keys: SortKeys;
  private readonly orders = new Map<string, Uint32Array>();

  constructor(rows: JsonRows, keys: SortKeys) {
    this.count = rows.count;
    this.rows = rows;
    this.keys = keys;
  }

  get memoryBytes(): number {
    const orders = 2 * ENTRY_SORTS.length * 4 * this.count;
    return this.rows.memoryBytes + 17 * this.count + orders;
  }

  page({ sort, descending, offset, limit }: EntryPage): Promise<readonly Uint8Array[]> {
    return Promise.resolve(this.rows.page(this.order(sort, descending), offset, limit));
  }

  private order(sort: EntrySort, descending: boolean): Uint32Array | undefined {
    if (sort === 'name' && !descending) return undefined;
    const name = `${sort}${descending ? '-' : '+'}`;
    const known = this.orders.get(name);
    if (known !== undefined) return known;
    const order = Uint32Array.from({ length: this.count }, (_, i) => i);
    if (sort === 'name') order.reverse();
    else sortBy(order, this.keys[sort], descending ? -1 : 1);
    this.orders.set(name, order);
    return order;
  }
}

/** What has the same key stays in the order of names. */
function sortBy(order: Uint32Array, keys: SortKeys[keyof SortKeys], sign: 1 | -1): void {
  order.sort((a, b) => {
    const [left, right] = [keys[a] ?? 0, keys[b] ?? 0];
    if (left === right) return a - b;
    return left < right ? -sign : sign;
  });
}

/** A directory of which only the page that is asked for is decoded. It can be sorted by name alone. */
class LargeDirectory implements ShownDirectory {
  readonly count: number;
  readonly memoryBytes: number;
  private readonly listing: DirectoryListing;
  private readonly path: ByteString;

  constructor(listing: DirectoryListing, path: ByteString) {
    this.count = listing.count;
    this.memoryBytes = listing.memoryBytes;
    this.listing = listing;
    this.path = path;
  }

  async page({ sort, descending, offset, limit }: EntryPage): Promise<readonly Uint8Array[]> {
    if (sort !== 'name') throw tooLarge(this.path, this.count);
    const last = Math.min(this.count, offset + limit);
    const from = descending ? this.count - last : offset;
    const entries: TreeEntry[] = [];
    const cursor = this.listing.from(from);
    while (entries.length < last - offset) {
      const entry = cursor.next();
      if (entry === undefined) break;
      if (entry === 'more') await cursor.load();
      else entries.push(decodeEntry(entry.bytes));
    }
    const rows = new JsonRowsBuilder();
    for (const entry of descending ? entries.toReversed() : entries) {
      rows.add(entryJson(pathIn(this.path, entry.name), entry));
    }
    return rows.finish().page(undefined, 0, limit);
  }
}

function tooLarge(path: ByteString, count: number): CairnError {
  return new CairnError('LIMIT_EXCEEDED', `${displayName(path)} has ${count} entries: too many to sort`, {
    hint: 'Sort by name, or search.',
  });
}
