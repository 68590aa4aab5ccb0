import type { ArchiveRecord, Turns } from '@cairn/core';

import type { ArchiveOutlook } from '../retention/outlook.ts';
import { archiveRowJson, scopedRowJson } from './archive-row.ts';
import { JsonRowsBuilder, type JsonRows } from './json-rows.ts';
import type { PathScope } from './path-scope.ts';

/** What archives can be sorted by. */
export const ARCHIVE_SORTS = ['started', 'name', 'series', 'size', 'new', 'duration', 'goes'] as const;
export type ArchiveSort = (typeof ARCHIVE_SORTS)[number];

/** Which archives. */
export interface ArchiveFilter {
  readonly state: 'live' | 'deleted' | 'all';
  readonly series?: string | undefined;
  readonly host?: string | undefined;
  readonly tag?: string | undefined;
  /** Part of a name, comment, series or tag, whatever the case of its letters. */
  readonly text?: string | undefined;
  /** Only those with warnings, or that are incomplete. */
  readonly warnings?: boolean | undefined;
  readonly protected?: boolean | undefined;
}

export interface ArchiveQuery extends ArchiveFilter {
  readonly sort: ArchiveSort;
  readonly descending: boolean;
}

/** Answers that are kept for one state of the log. */
const KEPT_ORDERS = 64;

/** The archives of a repository at one state of its log, as rows of JSON. */
export class ArchiveListing {
  /** Live and deleted ones, oldest COMMIT first. */
  readonly archives: readonly ArchiveRecord[];
  private readonly outlooks: ReadonlyMap<string, ArchiveOutlook>;
  private readonly rows: JsonRows;
  private scopedRows: JsonRows | undefined;
  private readonly orders = new Map<string, Uint32Array>();

  private constructor(
    archives: readonly ArchiveRecord[],
    outlooks: ReadonlyMap<string, ArchiveOutlook>,
    rows: JsonRows,
  ) {
    this.archives = archives;
    this.outlooks = outlooks;
    this.rows = rows;
  }

  static async make(
    archives: readonly ArchiveRecord[],
    outlooks: ReadonlyMap<string, ArchiveOutlook>,
    turns: Turns,
  ): Promise<ArchiveListing> {
    const rows = new JsonRowsBuilder();
    for (const archive of archives) {
      rows.add(archiveRowJson(archive, outlooks.get(archive.id)));
      const wait = turns.yieldIfDue();
      if (wait !== undefined) await wait;
    }
    return new ArchiveListing(archives, outlooks, rows.finish());
  }

  outlook(id: string): ArchiveOutlook | undefined {
    return this.outlooks.get(id);
  }

  /** A page of what a query finds, as pieces of the inside of a JSON array, and how many there are in all. */
  page(
    query: ArchiveQuery,
    scope: PathScope,
    offset: number,
    limit: number,
  ): { readonly rows: readonly Uint8Array[]; readonly total: number } {
    const order = this.order(query, scope);
    const rows = scope.isPartial ? this.scoped() : this.rows;
    return { rows: rows.page(order, offset, limit), total: order.length };
  }

  private order(query: ArchiveQuery, scope: PathScope): Uint32Array {
    const key = JSON.stringify([scope.key, query]);
    const known = this.orders.get(key);
    if (known !== undefined) {
      this.orders.delete(key);
      this.orders.set(key, known);
      return known;
    }
    const places = [...this.archives.keys()].filter((place) => {
      const archive = this.archives[place];
      return archive !== undefined && scope.concerns(archive) && meets(archive, query);
    });
    const order = Uint32Array.from(this.sorted(places, query));
    this.orders.set(key, order);
    for (const oldest of this.orders.keys()) {
      if (this.orders.size <= KEPT_ORDERS) break;
      this.orders.delete(oldest);
    }
    return order;
  }

  /** What has the same key stays in the order of the log. */
  private sorted(places: number[], { sort, descending }: ArchiveQuery): number[] {
    const keys = new Map(places.map((place) => [place, this.sortKey(place, sort)]));
    const sign = descending ? -1 : 1;
    return places.sort((a, b) => {
      const [left, right] = [keys.get(a) ?? 0, keys.get(b) ?? 0];
      if (left === right) return sign * (a - b);
      return left < right ? -sign : sign;
    });
  }

  private sortKey(place: number, sort: ArchiveSort): string | number | bigint {
    const archive = this.archives[place];
    if (archive === undefined) return 0;
    const { series, startNs, endNs, stats } = archive.descriptor;
    switch (sort) {
      case 'started':
        return startNs;
      case 'name':
        return archive.name;
      case 'series':
        return series;
      case 'size':
        return stats.bytes;
      case 'new':
        return stats.storedBytes;
      case 'duration':
        return endNs - startNs;
      case 'goes':
        return this.outlooks.get(archive.id)?.goesMs ?? Infinity;
    }
  }

  private scoped(): JsonRows {
    if (this.scopedRows !== undefined) return this.scopedRows;
    const rows = new JsonRowsBuilder();
    for (const archive of this.archives) rows.add(scopedRowJson(archive, this.outlooks.get(archive.id)));
    this.scopedRows = rows.finish();
    return this.scopedRows;
  }
}

function meets(archive: ArchiveRecord, filter: ArchiveFilter): boolean {
  const { descriptor, tags, name, comment, state, protect } = archive;
  const { text, warnings } = filter;
  return (
    (filter.state === 'all' || state === filter.state) &&
    (filter.series === undefined || descriptor.series === filter.series) &&
    (filter.host === undefined || descriptor.host === filter.host) &&
    (filter.tag === undefined || tags.includes(filter.tag)) &&
    (filter.protected === undefined || protect === filter.protected) &&
    (warnings === undefined || warnings === (descriptor.warnings.length > 0 || !descriptor.complete)) &&
    (text === undefined || [name, comment, descriptor.series, ...tags].some((one) => holds(one, text)))
  );
}

function holds(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}
