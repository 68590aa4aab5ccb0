import {
  DirectoryListing,
  EMPTY_CONTENT,
  ENTRY_KIND,
  entryContent,
  entryLink,
  type ChunkSource,
  type ContentReference,
  type EntryLink,
} from '@cairn/core';

import type { LinkTable } from './link-table.ts';

/** How long an answer waits for the count to be complete, milliseconds. */
const PATIENCE_MS = 1_000;
/** How long counting keeps other requests waiting, milliseconds. */
const TURN_MS = 5;

/** What is known of how many names a file has. */
export interface LinkCount {
  readonly links: number;
  /** False while the archive is still being read. */
  readonly certain: boolean;
}

/**
 * Counts the names of files with several. No archive says how many there are, so its trees are read once, when the first such
 * file is looked at.
 */
export class LinkCounts {
  private readonly source: ChunkSource;
  private readonly root: ContentReference;
  private readonly links: LinkTable;
  private counting: Promise<void> | undefined;
  private complete = false;

  /**
   * @param root content of the archive's root directory.
   * @param links where the counts are kept.
   */
  constructor(source: ChunkSource, root: ContentReference, links: LinkTable) {
    this.source = source;
    this.root = root;
    this.links = links;
  }

  /**
   * At once when the count is complete; else it is waited for a moment. A file of which not all names were met has at least two.
   * Rejects as the source does.
   */
  count(link: EntryLink): LinkCount | Promise<LinkCount> {
    return this.complete ? { links: this.known(link), certain: true } : this.waitAndCount(link);
  }

  private async waitAndCount(link: EntryLink): Promise<LinkCount> {
    if (!this.complete) {
      this.counting ??= this.countAll().catch((error: unknown) => {
        this.counting = undefined;
        throw error;
      });
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, PATIENCE_MS)));
      try {
        await Promise.race([this.counting, patience]);
      } finally {
        clearTimeout(timer);
      }
    }
    const links = this.known(link);
    return this.complete ? { links, certain: true } : { links: Math.max(2, links), certain: false };
  }

  private known(link: EntryLink): number {
    return Math.max(1, this.links.count(link));
  }

  private async countAll(): Promise<void> {
    this.links.clearCounts();
    const pending: ContentReference[] = [this.root];
    let turn = performance.now();
    for (let content = pending.pop(); content !== undefined; content = pending.pop()) {
      const listing = await DirectoryListing.load(this.source, content);
      const cursor = listing.from(0);
      for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
        if (entry === 'more') {
          await cursor.load();
          continue;
        }
        const { bytes } = entry;
        const { kind, link } = entryLink(bytes);
        if (kind === ENTRY_KIND.directory) pending.push(entryContent(bytes) ?? EMPTY_CONTENT);
        if (link !== null) this.links.add(link);
      }
      if (performance.now() - turn < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      turn = performance.now();
    }
    this.complete = true;
  }
}
