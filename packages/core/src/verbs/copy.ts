import { ArchiveCopier, type CopierOptions } from '../copy/archive-copier.ts';
import { copiedArchiveId } from '../copy/origin.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { commitArchive } from './commit-archive.ts';

/** What is copied, and how. */
export interface CopyOptions extends CopierOptions {
  /** Copy archives although their copies were there before and were removed, under other ids. */
  readonly again?: boolean;
  /** Say what would be copied, store nothing. */
  readonly dryRun?: boolean;
}

/** Totals so far. */
export interface CopyProgress {
  /** Archives done, and all that are to be copied. */
  readonly done: number;
  readonly total: number;
  /** Bytes of content that the target did not have, and what they take there. */
  readonly newBytes: number;
  readonly storedBytes: number;
}

/** How copying is followed and stopped. */
export interface CopyRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CopyProgress) => void;
}

/** What became of one archive. */
export type CopiedArchive =
  | { readonly outcome: 'copied'; readonly source: ArchiveRecord; readonly copy: ArchiveRecord }
  /** There already. */
  | { readonly outcome: 'present'; readonly source: ArchiveRecord; readonly copy: ArchiveRecord }
  /** It was there and was deleted since. */
  | { readonly outcome: 'removed'; readonly source: ArchiveRecord; readonly copy: ArchiveRecord }
  /** Of a dry run. */
  | { readonly outcome: 'planned'; readonly source: ArchiveRecord }
  /** The source cannot give all of it. */
  | { readonly outcome: 'damaged'; readonly source: ArchiveRecord; readonly reason: string };

/** What became of the archives that were to be copied. */
export interface CopyReport {
  /** In the order of the archives. */
  readonly archives: readonly CopiedArchive[];
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly durationMs: number;
}

/** How often an archive is begun again because packs that it relied on were swept meanwhile. */
const ATTEMPTS = 3;

/**
 * Copies archives into another repository, which has other keys: each chunk is opened, verified, named and sealed anew. Chunks
 * are not cut anew. An archive that was copied before is passed over. A damaged one is part of the report; it is not copied.
 *
 * Rejects with `USAGE` when both are the same repository, `RIGHT_MISSING` when the keys may not read the one or write the other,
 * `PLAN_STALE` when a collector is always faster, `CANCELLED`, and like the stores. What was copied by then stays, and the
 * next run goes on from there.
 */
export async function copyArchives(
  source: RepositoryAccess,
  target: RepositoryAccess,
  archives: readonly ArchiveRecord[],
  options: CopyOptions = {},
  run: CopyRun = {},
): Promise<CopyReport> {
  if (source.id === target.id) {
    throw new CairnError('USAGE', 'both addresses are of one repository', {
      hint: 'Name another repository as the target; a plain copy of a store is the same repository.',
    });
  }
  const startMs = target.environment.clock.monotonicMs();
  await target.log.refresh();
  const job = new CopyJob(source, target, options, run, archives.length);
  const results: CopiedArchive[] = [];
  try {
    for (const archive of archives) results.push(await job.take(archive));
  } finally {
    await job.stop();
  }
  const durationMs = target.environment.clock.monotonicMs() - startMs;
  return { archives: results, ...job.totals, durationMs };
}

class CopyJob {
  private readonly source: RepositoryAccess;
  private readonly target: RepositoryAccess;
  private readonly options: CopyOptions;
  private readonly run: CopyRun;
  private readonly total: number;
  private copier: ArchiveCopier | undefined;
  private done = 0;
  private readonly before = { newBytes: 0, storedBytes: 0 };

  constructor(source: RepositoryAccess, target: RepositoryAccess, options: CopyOptions, run: CopyRun, total: number) {
    this.source = source;
    this.target = target;
    this.options = options;
    this.run = run;
    this.total = total;
  }

  /** What was stored so far. */
  get totals(): Pick<CopyProgress, 'newBytes' | 'storedBytes'> {
    const { newBytes = 0, storedBytes = 0 } = this.copier?.counts ?? {};
    return { newBytes: this.before.newBytes + newBytes, storedBytes: this.before.storedBytes + storedBytes };
  }

  async take(archive: ArchiveRecord): Promise<CopiedArchive> {
    throwIfCancelled(this.run.signal, 'copy');
    try {
      return await this.decide(archive);
    } finally {
      this.done += 1;
      this.tell();
    }
  }

  private async decide(archive: ArchiveRecord): Promise<CopiedArchive> {
    const { again = false, dryRun = false } = this.options;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const copy = this.copyOf(archive);
      if (copy?.state === 'live') return { outcome: 'present', source: archive, copy };
      if (copy !== undefined && !again) return { outcome: 'removed', source: archive, copy };
      const taken = this.target.log.state.isTaken(this.idOfCopy(archive));
      if (taken && !again) return { outcome: 'damaged', source: archive, reason: 'its copy there cannot be read' };
      if (dryRun) return { outcome: 'planned', source: archive };
      const copied = await this.copy(archive, taken);
      if (copied !== undefined) return copied;
    }
    throw new CairnError('PLAN_STALE', 'packs that the copy relies on were removed each time it ran', {
      hint: 'Run it again when no compaction is under way.',
    });
  }

  private copyOf(archive: ArchiveRecord): ArchiveRecord | undefined {
    return this.target.log.state.archives.get(this.idOfCopy(archive));
  }

  private idOfCopy({ id }: ArchiveRecord): string {
    return toHex(copiedArchiveId(this.target, this.source.config.repo, id));
  }

  /** Undefined when it must be begun again. */
  private async copy(archive: ArchiveRecord, again: boolean): Promise<CopiedArchive | undefined> {
    const { source, target, options, run } = this;
    this.copier ??= await ArchiveCopier.start(source, target, options, run.signal, () => this.tell());
    const { uploader, index } = this.copier.relies;
    try {
      const descriptor = await this.copier.copy(archive, again);
      if (await commitArchive(target, descriptor, uploader, index.usedPacks())) {
        const copy = target.log.state.archives.get(toHex(descriptor.id));
        return copy && { outcome: 'copied', source: archive, copy };
      }
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT') && !isCairnError(error, 'OBJECT_MISSING')) throw error;
      return { outcome: 'damaged', source: archive, reason: error.message };
    }
    await this.stop();
    await target.reloadIndex();
    return undefined;
  }

  private tell(): void {
    this.run.onProgress?.({ done: this.done, total: this.total, ...this.totals });
  }

  async stop(): Promise<void> {
    const { copier } = this;
    if (copier === undefined) return;
    Object.assign(this.before, this.totals);
    this.copier = undefined;
    await copier.stop();
    this.target.forgetIndex();
  }
}
