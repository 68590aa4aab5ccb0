import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveWalk, type ChosenEntry, type WalkVisitor } from '../restore/archive-walk.ts';
import { linkKeyOf, LinkTable } from '../restore/link-table.ts';
import type { RestoreOptions, RestoreProblem } from '../restore/options.ts';
import { Reporter } from '../restore/reporter.ts';
import { Selection } from '../restore/selection.ts';
import { TargetDirectory } from '../restore/target-directory.ts';
import { Turns } from '../flow/turns.ts';
import { canBeMember, memberHead } from '../tar/member-head.ts';
import { childPath } from '../tree/archive-path.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { EMPTY_CONTENT, type ContentRecord } from '../tree/content.ts';
import { ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';

/** What of an archive is written; everything unless it says otherwise. */
export type ExportTarOptions = Pick<RestoreOptions, 'paths' | 'include' | 'exclude' | 'stripComponents'>;

/** What of an archive a tar stream cannot hold. socket: the entry; flags: inode flags of an entry. */
export type TarLoss = 'socket' | 'flags';

export interface ExportTarProgress {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  /** Apparent bytes of the files, further names left out. */
  readonly bytes: number;
}

export interface ExportTarRun {
  /** What chunks are read from, such as the reader of a program that stays. Default: one of its own. */
  readonly source?: ChunkSource;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExportTarProgress) => void;
}

/** What was written as tar. */
export interface ExportTarReport extends ExportTarProgress {
  /** Bytes of the stream. */
  readonly tarBytes: number;
  /** Entries that the repository cannot give: they are not in the stream. */
  readonly problems: readonly RestoreProblem[];
  readonly problemCounts: Readonly<Partial<Record<'damaged', number>>>;
  readonly lost: Readonly<Partial<Record<TarLoss, number>>>;
}

/** Takes the next bytes of a stream. What it gives is waited for before there are more. The bytes must not be kept. */
export type ByteSink = (bytes: Uint8Array) => Promise<void> | void;

/** Small members are gathered to so many bytes. */
const GATHERED_BYTES = 256 * 1024;
/** GNU tar's record: 20 blocks. The stream is a whole number of them. */
const RECORD_BYTES = 10_240;
const ZEROS = Buffer.alloc(RECORD_BYTES);

/**
 * Writes an archive, or parts of it, as a tar stream in pax format, as GNU tar reads it. The same selection of the same archive
 * always gives the same bytes. An entry whose content is damaged is left out and reported; when damage shows only in the middle
 * of a member, the stream cannot be made whole: rejects with `CORRUPT` or `OBJECT_MISSING`, naming the path. Rejects with
 * `PATH_MISSING`, `RIGHT_MISSING`, `CANCELLED`, and with what `sink` does.
 */
export async function exportTar(
  access: RepositoryAccess,
  archive: ArchiveRecord,
  sink: ByteSink,
  options: ExportTarOptions = {},
  run: ExportTarRun = {},
): Promise<ExportTarReport> {
  access.secret('skD', 'open file contents');
  const source = run.source ?? (await access.chunkReader());
  const index = await access.index();
  const view = new ArchiveView(source, archive);
  const root = view.root();
  for (const path of options.paths ?? []) await view.entry(path);
  const writer = new TarWriter(source, (id) => index.find(id) !== undefined, sink, run);
  const turns = new Turns(access.environment.clock);
  const walk = new ArchiveWalk(source, new Selection(options), options.stripComponents ?? 0, writer, turns);
  await walk.run(root, new TargetDirectory(undefined, '', '/', 0, undefined));
  return await writer.finish();
}

class TarWriter implements WalkVisitor {
  private readonly source: ChunkSource;
  private readonly isStored: (id: Uint8Array) => boolean;
  private readonly sink: ByteSink;
  private readonly run: ExportTarRun;
  private readonly reporter = new Reporter();
  private readonly links = new LinkTable();
  private readonly lost: Partial<Record<TarLoss, number>> = {};
  /** Directories that were entered on the way and are not in the stream yet. */
  private readonly unwritten = new Map<TargetDirectory, TreeEntry>();
  private parts: Uint8Array[] = [];
  private gathered = 0;
  private tarBytes = 0;

  constructor(source: ChunkSource, isStored: (id: Uint8Array) => boolean, sink: ByteSink, run: ExportTarRun) {
    this.source = source;
    this.isStored = isStored;
    this.sink = sink;
    this.run = run;
  }

  enter({ site, entry }: ChosenEntry, path: ByteString, wanted: boolean): TargetDirectory {
    const directory = new TargetDirectory(site.directory, entry.name, path, 0, undefined);
    this.unwritten.set(directory, entry);
    if (wanted) this.writeDirectories(directory);
    return directory;
  }

  async file(chosen: ChosenEntry): Promise<void> {
    const { entry, site } = chosen;
    if (this.writeLink(chosen)) return;
    const path = childPath(site.path, entry.name);
    const pieces = await this.open(path, entry);
    if (pieces === undefined) return;
    this.writeDirectories(site.directory);
    const padding = this.writeHead(chosen, undefined);
    for await (const piece of pieces) await this.write(piece);
    this.gather(ZEROS.subarray(0, padding));
    this.reporter.restored(ENTRY_KIND.file, entry.size);
  }

  other(chosen: ChosenEntry): void {
    if (!canBeMember(chosen.entry)) {
      this.lose('socket');
      return;
    }
    if (this.writeLink(chosen)) return;
    this.writeDirectories(chosen.site.directory);
    this.writeHead(chosen, undefined);
    this.reporter.restored(chosen.entry.kind);
  }

  leave(directory: TargetDirectory): void {
    this.unwritten.delete(directory);
  }

  damaged(path: ByteString, reason: string): void {
    this.reporter.problem('damaged', path, reason);
  }

  check(): Promise<void> | undefined {
    if (this.run.signal?.aborted === true) {
      throw new CairnError('CANCELLED', 'the export was stopped; the stream has no end');
    }
    return this.gathered >= GATHERED_BYTES ? this.flush() : undefined;
  }

  /** Two blocks of zeros end the stream. */
  async finish(): Promise<ExportTarReport> {
    this.gather(ZEROS.subarray(0, 1024));
    const rest = (RECORD_BYTES - ((this.tarBytes + this.gathered) % RECORD_BYTES)) % RECORD_BYTES;
    this.gather(ZEROS.subarray(0, rest));
    await this.flush();
    const { files, directories, others, bytes, problems, problemCounts } = this.reporter.report();
    return { files, directories, others, bytes, tarBytes: this.tarBytes, problems, problemCounts, lost: this.lost };
  }

  private writeDirectories(directory: TargetDirectory): void {
    const entry = this.unwritten.get(directory);
    if (entry === undefined || directory.parent === undefined) return;
    this.unwritten.delete(directory);
    this.writeDirectories(directory.parent);
    this.writeHead({ site: { directory: directory.parent, path: '' }, entry }, undefined);
    this.reporter.restored(ENTRY_KIND.directory);
  }

  /** True when the entry is a further name of a member before it. */
  private writeLink(chosen: Pick<ChosenEntry, 'site' | 'entry'>): boolean {
    const key = linkKeyOf(chosen.entry);
    const first = key && this.links.find(key);
    if (first === undefined) return false;
    this.writeDirectories(chosen.site.directory);
    this.writeHead(chosen, first.path);
    this.reporter.restored(chosen.entry.kind);
    return true;
  }

  /** @returns zeros that follow the content. */
  private writeHead({ site, entry }: Pick<ChosenEntry, 'site' | 'entry'>, first: ByteString | undefined): number {
    const path = site.directory.pathOf(entry.name);
    const { bytes, padding } = memberHead(path, entry, first);
    this.gather(bytes);
    if (entry.flags !== null && first === undefined) this.lose('flags');
    const key = linkKeyOf(entry);
    if (key !== undefined && first === undefined) this.links.made(key, { path, device: 0, inode: 0n });
    return padding;
  }

  /** The content of a file, whose first chunk was read and whose others are known; undefined, and reported, when it is damaged. */
  private async open(path: ByteString, entry: TreeEntry): Promise<AsyncIterable<Uint8Array> | undefined> {
    const content = entry.content ?? EMPTY_CONTENT;
    try {
      let first: Uint8Array | undefined;
      for await (const record of leafRecords(this.source, content)) {
        if (first === undefined) first = await this.chunk(record);
        else if (!this.isStored(record.id)) throw new CairnError('OBJECT_MISSING', 'a chunk of it is in no pack');
      }
      return this.content(path, entry, first);
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT') && !isCairnError(error, 'OBJECT_MISSING')) throw error;
      this.damaged(path, error.message);
      return undefined;
    }
  }

  /** One chunk is read while the one before is written. */
  private async *content(
    path: ByteString,
    entry: TreeEntry,
    first: Uint8Array | undefined,
  ): AsyncGenerator<Uint8Array> {
    if (first === undefined) return;
    let ready = first;
    let number = 0;
    try {
      for await (const record of leafRecords(this.source, entry.content ?? EMPTY_CONTENT)) {
        number += 1;
        if (number === 1) continue;
        const next = this.chunk(record);
        // Met when its turn comes.
        next.catch(() => undefined);
        yield ready;
        ready = await next;
      }
      yield ready;
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT') && !isCairnError(error, 'OBJECT_MISSING')) throw error;
      throw new CairnError(
        error.code,
        `${displayName(path)} is damaged, and part of it is in the stream: ${error.message}`,
        {
          hint: 'The stream has no end. Export again, leaving out that path.',
          cause: error,
        },
      );
    }
  }

  private async chunk({ id, length }: ContentRecord): Promise<Uint8Array> {
    const bytes = await this.source.chunk(CHUNK_TYPE.data, id);
    if (bytes.length === length) return bytes;
    throw new CairnError('CORRUPT', 'a chunk is not as long as the reference to it says');
  }

  private lose(what: TarLoss): void {
    this.lost[what] = (this.lost[what] ?? 0) + 1;
  }

  private gather(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.parts.push(bytes);
    this.gathered += bytes.length;
  }

  private async write(bytes: Uint8Array): Promise<void> {
    this.gather(bytes);
    if (this.gathered < GATHERED_BYTES) return;
    await this.flush();
    this.run.onProgress?.(this.reporter.report());
    await this.check();
  }

  private async flush(): Promise<void> {
    const { parts } = this;
    this.parts = [];
    this.tarBytes += this.gathered;
    this.gathered = 0;
    const [only] = parts;
    await this.sink(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts));
  }
}
