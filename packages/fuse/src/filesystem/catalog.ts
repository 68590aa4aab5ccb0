import { ENTRY_KIND, type ArchiveRecord, type ByteString, type Clock } from '@cairn/core';

import type { Attributes, OwnerRules } from './attributes.ts';
import type { DirectoryTable } from './directory-table.ts';
import { directoryNode, entryNode, LATEST_LINKS, ROOT_DIRECTORY } from './nodes.ts';
import type { Problems } from './problems.ts';
import { distinctNames, fileName } from './shown-names.ts';

/** What there is to show; the repository. */
export interface CatalogSource {
  /** Live archives, oldest first. */
  archives(): readonly ArchiveRecord[];
  /** Learns of what others did since. Rejects as stores do. */
  refresh(): Promise<void>;
}

/** How long what was learned is taken for new, milliseconds. */
const FRESH_MS = 2_000;

/** Name of the link to the newest archive of a series. */
const LATEST = 'latest';

/** Something in a directory that no archive has: a series, an archive, or the link to the newest one. */
export interface CatalogEntry {
  readonly name: ByteString;
  readonly node: number;
  /** The archive that is shown there. */
  readonly archive?: ArchiveRecord;
  /** Target of the link. */
  readonly target?: ByteString;
}

/** The directory of a series. */
interface Series {
  readonly number: number;
  readonly title: string;
}

/** The upper two levels of a whole repository: a directory for each series, and in it one for each archive. */
export class Catalog {
  private readonly source: CatalogSource;
  private readonly table: DirectoryTable;
  private readonly clock: Clock;
  private readonly problems: Problems;
  private readonly series = new Map<string, Series>();
  private readonly numbers = new Map<string, number>();
  private readonly links: ArchiveRecord[] = [];
  /** Archives that somebody is in: they are shown until the end, whatever becomes of them. */
  private readonly held = new Map<string, ArchiveRecord>();
  private freshMs = -Infinity;

  constructor(source: CatalogSource, table: DirectoryTable, clock: Clock, problems: Problems) {
    this.source = source;
    this.table = table;
    this.clock = clock;
    this.problems = problems;
  }

  /** True for the directories of this catalog. */
  has(number: number): boolean {
    return number === ROOT_DIRECTORY || this.seriesOf(number) !== undefined;
  }

  /** Keeps an archive in its place although it may be deleted. */
  hold(archive: ArchiveRecord): void {
    this.held.set(archive.id, archive);
  }

  /** What is in a directory of this catalog, in name order. */
  async entries(number: number): Promise<CatalogEntry[]> {
    await this.refresh();
    const entries = number === ROOT_DIRECTORY ? this.seriesEntries() : this.archiveEntries(number);
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The target of a link of this catalog. */
  latest(ordinal: number): ByteString | undefined {
    const archive = this.links[ordinal];
    return archive === undefined ? undefined : this.nameOf(archive);
  }

  attributes(node: number, number: number, rules: OwnerRules): Attributes {
    const shown = this.shown().filter(
      ({ descriptor }) => number === ROOT_DIRECTORY || descriptor.series === this.seriesOf(number)?.title,
    );
    const timeNs = shown.reduce(
      (latest, { descriptor }) => (descriptor.endNs > latest ? descriptor.endNs : latest),
      0n,
    );
    return {
      ...VIRTUAL,
      ...ownerOf(rules),
      node,
      kind: ENTRY_KIND.directory,
      mode: 0o40555,
      mtimeNs: timeNs,
      ctimeNs: timeNs,
    };
  }

  linkAttributes(node: number, ordinal: number, rules: OwnerRules): Attributes {
    const archive = this.links[ordinal];
    const timeNs = archive?.descriptor.endNs ?? 0n;
    const size = archive === undefined ? 0 : this.nameOf(archive).length;
    return {
      ...VIRTUAL,
      ...ownerOf(rules),
      node,
      kind: ENTRY_KIND.symlink,
      mode: 0o120777,
      size,
      mtimeNs: timeNs,
      ctimeNs: timeNs,
    };
  }

  private async refresh(): Promise<void> {
    const now = this.clock.monotonicMs();
    if (now - this.freshMs < FRESH_MS) return;
    this.freshMs = now;
    try {
      await this.source.refresh();
    } catch (error) {
      // What was there before still is; what is new shows when the store answers again.
      this.problems.tell(error, 'the list of archives is not up to date');
    }
  }

  private shown(): ArchiveRecord[] {
    const live = this.source.archives();
    const ids = new Set(live.map(({ id }) => id));
    return [...[...this.held.values()].filter(({ id }) => !ids.has(id)), ...live].sort((a, b) => a.seq - b.seq);
  }

  private seriesEntries(): CatalogEntry[] {
    const names = new Map<ByteString, CatalogEntry>();
    for (const { descriptor } of this.shown()) {
      const { series } = descriptor;
      const known = this.series.get(series) ?? { number: this.table.takeNumber(), title: series };
      this.series.set(series, known);
      // Two series whose names differ in what a file name cannot have: the second keeps apart by its number.
      let name = fileName(series);
      const taken = names.get(name);
      if (taken !== undefined && taken.node !== directoryNode(known.number))
        name = `${name.slice(0, 240)}~${known.number}`;
      names.set(name, { name, node: directoryNode(known.number) });
    }
    return [...names.values()];
  }

  private archiveEntries(number: number): CatalogEntry[] {
    const archives = this.inSeries(this.seriesOf(number)?.title);
    const named = distinctNames(archives);
    const entries: CatalogEntry[] = [...named].map(([name, archive]) => ({
      name,
      node: this.nodeOf(archive),
      archive,
    }));
    const newest = archives.at(-1);
    if (newest !== undefined && !named.has(LATEST)) {
      entries.push({ name: LATEST, node: this.linkNode(newest), target: this.nameOf(newest) });
    }
    return entries;
  }

  private inSeries(title: string | undefined): ArchiveRecord[] {
    return this.shown().filter(({ descriptor }) => descriptor.series === title);
  }

  private nameOf(archive: ArchiveRecord): ByteString {
    for (const [name, { id }] of distinctNames(this.inSeries(archive.descriptor.series)))
      if (id === archive.id) return name;
    return fileName(archive.name);
  }

  private nodeOf({ id }: ArchiveRecord): number {
    const number = this.numbers.get(id) ?? this.table.takeNumber();
    this.numbers.set(id, number);
    return directoryNode(number);
  }

  /** A node of its own for each target: what the kernel remembers of a link is never wrong. */
  private linkNode(archive: ArchiveRecord): number {
    let ordinal = this.links.findIndex(({ id, name }) => id === archive.id && name === archive.name);
    if (ordinal === -1) ordinal = this.links.push(archive) - 1;
    return entryNode(LATEST_LINKS, ordinal);
  }

  private seriesOf(number: number): Series | undefined {
    for (const series of this.series.values()) if (series.number === number) return series;
    return undefined;
  }
}

const VIRTUAL = { links: 1, size: 0, blocks: 0, device: null } as const;

function ownerOf({ uid = 0, gid = 0 }: OwnerRules): { readonly uid: number; readonly gid: number } {
  return { uid, gid };
}
