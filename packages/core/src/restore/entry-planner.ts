import type { ChunkSource } from '../tree/chunk-source.ts';
import { leavesAndGaps } from '../tree/chunk-source.ts';
import { CONTENT_RECORD_BYTES, EMPTY_CONTENT } from '../tree/content.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import type { ChosenEntry } from './archive-walk.ts';
import { SegmentCursor } from './file-content.ts';
import { LargeFile } from './large-file.ts';
import { linkKeyOf, type LinkTable } from './link-table.ts';
import type { RestorePolicy } from './metadata-writer.ts';
import type { Window } from './window.ts';

/** Where planned work goes: the window under construction, which may fill up in the middle of a file. */
export interface WindowSink {
  readonly window: Window;
  /** Hands the window on when it is full, and begins another. */
  advance(): Promise<void> | undefined;
  /** All chunks of a file are planned, or it was given up. */
  named(file: LargeFile): Promise<void>;
}

/** A file with zeros to write is worked on in steps from this size on. */
const STEPPED_BYTES = 8 * 1024 * 1024;

/** Plans how entries are made: whole by a worker, chunk by chunk, as a further name, or later. */
export class EntryPlanner {
  private readonly source: ChunkSource;
  private readonly links: LinkTable;
  private readonly policy: Pick<RestorePolicy, 'sparse' | 'placement'>;

  constructor(source: ChunkSource, links: LinkTable, policy: Pick<RestorePolicy, 'sparse' | 'placement'>) {
    this.source = source;
    this.links = links;
    this.policy = policy;
  }

  /** True for a further name of what was met before. */
  isFurtherName({ entry }: Pick<ChosenEntry, 'entry'>): boolean {
    const linkKey = linkKeyOf(entry);
    return linkKey !== undefined && this.links.has(linkKey);
  }

  /** Plans any entry but a directory. A further name of what was met before becomes a link. */
  plan(chosen: ChosenEntry, sink: WindowSink): Promise<void> | undefined {
    const linkKey = linkKeyOf(chosen.entry);
    if (linkKey === undefined || !this.links.has(linkKey)) return this.planFirst(chosen, sink);
    sink.window.addLink(chosen.site, chosen.encoded, linkKey);
    return undefined;
  }

  /** The same for an entry that is to be made whatever was met before. */
  planFirst({ site, entry, encoded }: ChosenEntry, sink: WindowSink): Promise<void> | undefined {
    const linkKey = linkKeyOf(entry);
    if (linkKey !== undefined) this.links.begin(linkKey);
    if (entry.kind !== ENTRY_KIND.file) {
      sink.window.addOther(site, encoded, linkKey);
      return undefined;
    }
    const content = entry.content ?? EMPTY_CONTENT;
    const oneChunk = content.level === 0 && content.records.length <= CONTENT_RECORD_BYTES;
    const stepped = !this.policy.sparse && entry.holes !== null && entry.size > STEPPED_BYTES;
    if (!oneChunk || stepped) return this.planLarge(new LargeFile(site, entry, this.policy.placement), sink);
    const chunk = content.length === 0 ? undefined : { id: content.records.subarray(0, 32), length: content.length };
    sink.window.addSmallFile(site, encoded, linkKey, entry.size, chunk);
    return undefined;
  }

  private async planLarge(file: LargeFile, sink: WindowSink): Promise<void> {
    sink.window.addLargeFile();
    const cursor = new SegmentCursor(file.entry);
    for await (const leaf of leavesAndGaps(this.source, file.entry.content ?? EMPTY_CONTENT)) {
      if (file.failure !== undefined) break;
      if ('gap' in leaf) {
        file.damaged(cursor.take(leaf.gap), leaf.reason);
        continue;
      }
      sink.window.addPart(file, leaf, cursor.take(leaf.length));
      await sink.advance();
    }
    await sink.named(file);
  }
}
