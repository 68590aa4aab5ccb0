import { DirectoryBuilder, type TreeStorage, type WaitingEntries } from '../backup/directory-builder.ts';
import { LIMITS } from '../limits.ts';
import { CairnError } from '../errors.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import type { ContentReference } from '../tree/content.ts';
import { DirectoryReader } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, EntryEncoder, entryContent, type TreeEntry } from '../tree/entry.ts';
import type { ContentCopier } from './content-copier.ts';

/** Files under way, and entries that wait for them, before the walk waits: so many that chunks of small files fill packs. */
const FILES_AHEAD = 8_192;
const ENTRIES_AHEAD = 16_384;
/** Directories whose copy is remembered, so that what archives have in common is walked once: 200 bytes each. */
const KNOWN_DIRECTORIES = 200_000;

/** What trees are copied with. */
export interface TreeCopying {
  readonly source: ChunkSource;
  readonly trees: TreeStorage;
  readonly contents: ContentCopier;
  readonly signal: AbortSignal | undefined;
  /** Called every few entries; resolves when the walk may go on. */
  readonly onTurn: () => Promise<void>;
}

/** Copies trees: each directory is written anew, because the contents in it go by other names in the target. */
export class TreeCopier {
  private readonly copying: TreeCopying;
  private readonly encoder = new EntryEncoder();
  private readonly known = new Map<string, ContentReference>();
  private waiting: WaitingEntries = { count: 0 };
  private readonly files = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private onFileDone: () => void = () => undefined;

  constructor(copying: TreeCopying) {
    this.copying = copying;
  }

  /**
   * The root entry as it is in the target. Rejects with `CORRUPT` or `OBJECT_MISSING` when the source lacks a part of it, with
   * `CANCELLED`, and like the stores; then nothing of the archive counts.
   */
  async copy(root: TreeEntry): Promise<Buffer> {
    this.failure = undefined;
    this.waiting = { count: 0 };
    try {
      let content: ContentReference | null = null;
      if (root.content !== null) await this.directory(root.content, 0, (copied) => (content = copied));
      // With the last file every directory is complete.
      await this.settle(0, 0);
      return this.encoder.encode({ ...root, content });
    } finally {
      await Promise.allSettled(this.files);
    }
  }

  /** Resolves when all of it is walked; `onDone` is called when all of it is stored. */
  private async directory(
    content: ContentReference,
    depth: number,
    onDone: (copied: ContentReference) => void,
  ): Promise<void> {
    if (depth > LIMITS.treeDepth) throw new CairnError('CORRUPT', 'directories are nested too deeply');
    const key = keyOf(content);
    const before = this.known.get(key);
    if (before !== undefined) return onDone(before);
    const builder = new DirectoryBuilder(this.copying.trees, this.waiting, (copied) => {
      if (this.known.size >= KNOWN_DIRECTORIES) this.known.clear();
      this.known.set(key, copied);
      onDone(copied);
    });
    const reader = new DirectoryReader(this.copying.source, content);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      if (entry !== 'more') {
        await this.entry(builder, entry.bytes, depth);
        continue;
      }
      throwIfCancelled(this.copying.signal, 'copy');
      await reader.load();
      await this.copying.onTurn();
    }
    builder.close();
  }

  private async entry(builder: DirectoryBuilder, bytes: Buffer, depth: number): Promise<void> {
    const slot = builder.reserve();
    const content = entryContent(bytes);
    if (content === null || content.length === 0) {
      builder.fill(slot, Buffer.from(bytes));
      return;
    }
    const entry = decodeEntry(bytes);
    if (entry.kind === ENTRY_KIND.directory) {
      const fill = (copied: ContentReference): void =>
        builder.fill(slot, this.encoder.encode({ ...entry, content: copied }));
      await this.directory(content, depth + 1, fill);
      return;
    }
    const file = this.file(builder, slot, entry, content).finally(() => {
      this.files.delete(file);
      this.onFileDone();
    });
    this.files.add(file);
    await this.settle(FILES_AHEAD, ENTRIES_AHEAD);
  }

  private async file(
    builder: DirectoryBuilder,
    slot: number,
    entry: TreeEntry,
    content: ContentReference,
  ): Promise<void> {
    try {
      const copied = await this.copying.contents.copy(content);
      builder.fill(slot, this.encoder.encode({ ...entry, content: copied }));
    } catch (error) {
      this.failure ??= { error };
    }
  }

  /** Resolves when no more than so many files, and entries after them, are under way. Rejects when a file failed. */
  private async settle(files: number, entries: number): Promise<void> {
    while (this.failure === undefined && this.files.size > 0) {
      if (this.files.size <= files && this.waiting.count <= entries) break;
      this.copying.contents.nudge();
      await new Promise<void>((resolve) => (this.onFileDone = resolve));
    }
    if (this.failure !== undefined) throw this.failure.error;
  }
}

function keyOf({ level, records }: ContentReference): string {
  return `${level}${records.toString('latin1')}`;
}
