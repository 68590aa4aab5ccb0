import { asBuffer } from '../codec/as-buffer.ts';
import { closeFd, statFd, xattrsOfFd, type FileStatus } from '../host/at-calls.ts';
import { getInodeFlags } from '../host/inode-flags.ts';
import { LIMITS } from '../limits.ts';
import { CONTENT_RECORD_BYTES, ContentBuilder, type ContentReference, type StoreChunk } from '../tree/content.ts';
import { ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { holesLength, holesOf, holesWithin, sameContent } from './content-processor.ts';
import type { Crew } from './crew.ts';
import type { EntryMaker } from './entry-maker.ts';
import type { HardLinks } from './hard-links.ts';
import { storeLargeContent } from './large-file.ts';
import { packFiles, type FileDetail } from './messages.ts';
import { openSource } from './open-source.ts';
import type { Problems } from './problems.ts';
import { REPLACED, troubleOf, type SourceTrouble } from './source-errors.ts';

/** Files from this size on are cut by one processor and stored by all. */
const LARGE_BYTES = 16 * 1024 * 1024;
/** Large files in work at once. */
const LARGE_AT_ONCE = 2;
/** A batch of files for a processor is full with so many files or bytes. */
const BATCH_FILES = 64;
const BATCH_BYTES = 4 * 1024 * 1024;

/** A file whose content is to be stored. */
export interface WantedFile {
  readonly directoryFd: number;
  readonly name: string;
  readonly path: string;
  /** As the walk saw it. */
  readonly status: FileStatus;
  /** Called once, with the file's entry, or undefined when it was left out. */
  readonly done: (entry: TreeEntry | undefined) => void;
}

export interface IntakeSetup {
  readonly crew: Crew;
  readonly store: StoreChunk;
  readonly maker: EntryMaker;
  readonly hardLinks: HardLinks;
  readonly problems: Problems;
  /** Takes charge of work that goes on beside the walk. */
  readonly follow: (work: Promise<void>) => void;
}

/** Takes files from the walk and gives the crew their contents: small ones in batches, large ones by themselves. */
export class FileIntake {
  private readonly setup: IntakeSetup;
  private batch: WantedFile[] = [];
  private batchBytes = 0;
  private readonly largeInWork = new Set<Promise<void>>();

  constructor(setup: IntakeSetup) {
    this.setup = setup;
  }

  /** True when more files would only wait. */
  get full(): boolean {
    const { crew } = this.setup;
    return crew.load >= crew.enough || this.largeInWork.size >= LARGE_AT_ONCE;
  }

  add(wanted: WantedFile): void {
    const { hardLinks, follow } = this.setup;
    const { status, done } = wanted;
    if (status.links <= 1) {
      this.read(wanted);
      return;
    }
    const met = hardLinks.met(status);
    if (met !== undefined) {
      follow(met.then((entry) => this.takeFurtherName(wanted, entry)));
      return;
    }
    const first = new Promise<TreeEntry | undefined>((resolve) => {
      this.read({
        ...wanted,
        done(entry) {
          done(entry);
          // Under that name there may be another file by now.
          resolve(entry?.inode === status.inode ? entry : undefined);
        },
      });
    });
    hardLinks.first(status, first);
  }

  /** A further name of a file takes over what the first gave; when that gave nothing, this one may still. */
  private takeFurtherName(wanted: WantedFile, first: TreeEntry | undefined): void {
    if (first === undefined) {
      this.read(wanted);
      this.submit();
    } else {
      wanted.done({ ...first, name: wanted.name });
    }
  }

  private read(wanted: WantedFile): void {
    if (wanted.status.size >= LARGE_BYTES) {
      const reading = this.readLarge(wanted).then(wanted.done);
      const work = reading.finally(() => this.largeInWork.delete(work));
      this.largeInWork.add(work);
      this.setup.follow(work);
      return;
    }
    this.batch.push(wanted);
    this.batchBytes += wanted.status.size;
    if (this.batch.length >= BATCH_FILES || this.batchBytes >= BATCH_BYTES) this.submit(true);
  }

  /** Resolves when no descriptor of a file is held any more: soon, once the crew has stopped. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.largeInWork);
  }

  /** Hands on the files that wait for a batch to fill. */
  submit(full = false): void {
    const { batch, setup } = this;
    if (batch.length === 0) return;
    const heavy = full || this.batchBytes >= BATCH_BYTES / 4;
    this.batch = [];
    this.batchBytes = 0;
    setup.follow(
      setup.crew.submit({ kind: 'files', files: packFiles(batch) }, heavy).then((result) => {
        if (result.kind !== 'files') return;
        const { counts, details } = result.contents;
        const records = asBuffer(result.contents.records);
        const detailOf = new Map(details);
        let at = 0;
        for (const [i, wanted] of batch.entries()) {
          const end = at + CONTENT_RECORD_BYTES * (counts[i] ?? 0);
          wanted.done(this.entryOf(wanted, records.subarray(at, end), detailOf.get(i)));
          at = end;
        }
      }),
    );
  }

  private entryOf(wanted: WantedFile, records: Buffer, detail: FileDetail | undefined): TreeEntry | undefined {
    const { name, path } = wanted;
    if (detail?.ok === false) {
      this.leaveOut(path, detail.trouble);
      return undefined;
    }
    const status = detail?.status ?? wanted.status;
    return this.setup.maker.file(name, path, status, {
      xattrs: detail?.xattrs ?? null,
      flags: detail?.flags ?? null,
      holes: detail?.holes ?? null,
      content: this.contentOf(records, status.size - holesLength(detail?.holes ?? [])),
      changed: detail?.changed === true,
    });
  }

  /** More records than an entry holds go into chunk lists. */
  private contentOf(records: Buffer, length: number): ContentReference {
    if (records.length <= CONTENT_RECORD_BYTES * LIMITS.directReferences) return { level: 0, records, length };
    const builder = new ContentBuilder(this.setup.store);
    builder.addRecords(records);
    return builder.finish();
  }

  private async readLarge({ directoryFd, name, path }: WantedFile): Promise<TreeEntry | undefined> {
    let fd: number | undefined;
    try {
      fd = openSource(directoryFd, name);
      const before = statFd(fd);
      if (before.kind === ENTRY_KIND.file) return await this.storeLarge(fd, name, path, before);
      this.leaveOut(path, REPLACED);
      return undefined;
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble === undefined) throw error;
      this.leaveOut(path, trouble);
      return undefined;
    } finally {
      if (fd !== undefined) closeFd(fd);
    }
  }

  private async storeLarge(fd: number, name: string, path: string, before: FileStatus): Promise<TreeEntry> {
    const { crew, store, maker } = this.setup;
    const holes = holesOf(fd, before);
    const builder = new ContentBuilder(store);
    const length = before.size - holesLength(holes);
    const stored = await storeLargeContent(crew, { fd, holes, length }, builder);
    const changed = stored !== length || !sameContent(before, statFd(fd));
    const kept = stored === length ? holes : holesWithin(holes, stored);
    const size = stored + holesLength(kept);
    return maker.file(
      name,
      path,
      { ...before, size },
      {
        xattrs: xattrsOfFd(fd),
        flags: getInodeFlags(fd) || null,
        holes: kept.length === 0 ? null : kept,
        content: builder.finish(),
        changed,
      },
    );
  }

  /** Reports why an entry is not in the archive. */
  leaveOut(path: string, { kind, message }: SourceTrouble): void {
    this.setup.problems.add(kind, path, message);
  }
}
