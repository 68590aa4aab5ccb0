import { hostname } from 'node:os';

import { ContentIntake } from '../backup/content-intake.ts';
import { planContents } from '../backup/content-plan.ts';
import { defaultThreads } from '../backup/crew.ts';
import { KeptTrees } from '../backup/kept-trees.ts';
import type { ContentCounts } from '../backup/messages.ts';
import { LookAhead } from '../backup/look-ahead.ts';
import { newestOfSeries, openParent, type Parent } from '../backup/parent.ts';
import { Problems, type Problem, type ProblemKind } from '../backup/problems.ts';
import { planVisits } from '../backup/source-paths.ts';
import { SourceWalk, type Candidate, type Choice, type WalkTotals } from '../backup/source-walk.ts';
import { startStoring } from '../backup/storing.ts';
import { CairnError } from '../errors.ts';
import { bytesOf, displayName } from '../host/byte-path.ts';
import { returnFreedBlocks } from '../host/memory.ts';
import { systemUsers } from '../host/users.ts';
import { toHex } from '../ids.ts';
import type { ArchiveDescriptor } from '../log/descriptor.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { ContentSource } from '../ports/content-source.ts';
import { noTreeCache, type TreeCache } from '../ports/tree-cache.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { StoreChunk } from '../tree/content.ts';
import { EntryEncoder, type TreeEntry } from '../tree/entry.ts';
import { archiveName, commitArchive } from './commit-archive.ts';

export interface BackupOptions {
  /** Absolute paths as byte strings (one character, one byte), without `.` or `..`. */
  readonly paths: readonly string[];
  /** What no file system holds: each stands in the archive at its path, in the place of what a source has there. */
  readonly contents?: readonly ContentSource[];
  /** Default: the host's name. */
  readonly series?: string;
  readonly host?: string;
  readonly user?: string;
  readonly comment?: string;
  readonly tags?: readonly string[];
  /** Decides about each entry below a source. Default: take all. */
  readonly choose?: (candidate: Candidate) => Choice;
  /** Compare with nothing: read every file. */
  readonly rereadAll?: boolean;
  /** Worker threads; 0 does all in this thread. Default: one for each core, at most 4. */
  readonly threads?: number;
  /** zstd level, 1 to 22. Default 3. */
  readonly compressionLevel?: number;
  readonly treeCache?: TreeCache;
  /** Walk and compare, store nothing. */
  readonly dryRun?: boolean;
  /** Shown in the archive as the program that made it. */
  readonly program?: string;
}

/** Where a running backup is. */
export interface BackupProgress {
  readonly files: number;
  readonly directories: number;
  readonly unchangedFiles: number;
  readonly excluded: number;
  /** Content bytes of the files met so far. */
  readonly bytes: number;
  readonly newBytes: number;
  readonly storedBytes: number;
  readonly problems: number;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BackupProgress) => void;
  readonly onProblem?: (problem: Problem) => void;
}

/** How a backup went. */
export interface BackupReport {
  readonly archive: ArchiveRecord;
  readonly progress: BackupProgress;
  /** The first thousand. */
  readonly problems: readonly Problem[];
  readonly problemCounts: ReadonlyMap<ProblemKind, number>;
  /** Name of the archive that this run compared with. */
  readonly parent: string | undefined;
  readonly durationMs: number;
  /** Why the trees could not be kept for the next run, or those of an earlier run not be read. */
  readonly cacheFailure: CairnError | undefined;
  /** Why a part of the archive that this run compared with could not be read: what both share is lost in both. */
  readonly parentDamage: CairnError | undefined;
}

type StoredReport = Omit<BackupReport, 'cacheFailure' | 'parentDamage'>;

/** How often a run starts again because packs that it relied on were swept meanwhile. */
const ATTEMPTS = 3;

/**
 * Backs up the given paths as a new archive.
 * Rejects with `RIGHT_MISSING` when the key may not write, `SOURCE_UNREADABLE` when nothing could be read, `CANCELLED` when the
 * signal fired (what was stored is found again by the next run), and whatever the store rejects with.
 */
export async function backup(
  access: RepositoryAccess,
  options: BackupOptions,
  run: RunOptions = {},
): Promise<BackupReport> {
  for (let attempt = 1; ; attempt++) {
    const report = await new BackupRun(access, options, run).attempt();
    if (report !== undefined) return report;
    // A stream that was read is gone; what was stored of it is found again when somebody sends it again.
    const readOnce = options.contents?.some(({ repeatable }) => repeatable === false) === true;
    if (attempt === ATTEMPTS || readOnce) {
      throw new CairnError('PLAN_STALE', 'packs that this backup relies on were removed each time it ran', {
        hint: 'Run it again when no compaction is under way.',
      });
    }
    await access.reloadIndex();
  }
}

class BackupRun {
  private readonly access: RepositoryAccess;
  private readonly options: BackupOptions;
  private readonly run: RunOptions;
  private readonly series: string;
  private readonly startNs: bigint;
  private readonly startMs: number;
  private readonly problems: Problems;
  private lastProgressMs = 0;

  constructor(access: RepositoryAccess, options: BackupOptions, run: RunOptions) {
    this.access = access;
    this.options = options;
    this.run = run;
    this.series = options.series ?? options.host ?? hostname();
    this.startNs = access.environment.clock.nowNs();
    this.startMs = access.environment.clock.monotonicMs();
    this.problems = new Problems(run.onProblem);
  }

  /** Undefined when packs that were relied on have been swept meanwhile. */
  async attempt(): Promise<BackupReport | undefined> {
    const { access, options } = this;
    returnFreedBlocks();
    const kept = new KeptTrees(options.treeCache ?? noTreeCache, access.id, this.series);
    const parent = options.rereadAll === true ? undefined : await openParent(access, kept, this.series);
    try {
      if (options.dryRun !== true) kept.begin();
      const report = await this.store(parent, kept);
      if (report !== undefined) kept.commit(report.archive.id);
      return report && { ...report, cacheFailure: kept.failure, parentDamage: parent?.damage() };
    } finally {
      kept.discard();
      parent?.close();
    }
  }

  private async store(parent: Parent | undefined, kept: KeptTrees): Promise<StoredReport | undefined> {
    const { access, options, problems } = this;
    const { environment, config } = access;
    const threads = options.threads ?? defaultThreads();
    const { index, setup, uploader, local, crew, trees } = await startStoring(access, {
      ...options,
      ...(this.run.signal === undefined ? {} : { signal: this.run.signal }),
      threads,
    });
    const store: StoreChunk = (type, plaintext) => {
      const id = trees.store(type, plaintext);
      kept.add(type, id, plaintext);
      return id;
    };
    const { gearTable } = setup;
    const { chunkerData } = config;
    const { clock } = environment;
    const dryRun = options.dryRun === true;
    const earlier = parent && { ...parent, ...timesOf(parent.archive) };
    const lookAhead = earlier === undefined || threads === 0 ? undefined : new LookAhead(earlier);
    const walk = new SourceWalk({
      visit: planVisits(options.paths),
      contents: planContents(options.contents ?? []),
      contentIntake: (maker) =>
        new ContentIntake({ crew, store, gearTable, chunkerData, maker, problems, clock, dryRun }),
      choose: options.choose ?? (() => 'take'),
      earlier: earlier && { ...earlier, source: lookAhead ?? earlier.source },
      isStored: (id) => index.use(id),
      crew,
      storage: { ...trees, store },
      onTurn: async () => {
        await local.passFullPacks();
        this.showProgress(walk.totals, crew.counts);
      },
      lookAhead,
      problems,
      users: systemUsers(),
      clock: environment.clock,
    });
    const end = async (): Promise<void> => {
      await Promise.all([crew.stop(), lookAhead?.close()]);
      await walk.close();
    };
    let root: TreeEntry;
    try {
      root = await walk.run(this.run.signal);
      await crew.flush();
    } catch (error) {
      await end();
      if (options.dryRun !== true) await uploader.listDurable();
      throw error;
    }
    await end();
    this.refuseEmpty(walk.totals);
    const descriptor = this.descriptor(root, walk.totals, crew.counts, parent);
    const progress = this.progress(walk.totals, crew.counts);
    if (options.dryRun !== true) {
      // Packs are durable by now; segments come next, and the entry that relies on both comes last (rule R3).
      await uploader.putSegment();
      if (!(await commitArchive(access, descriptor, uploader, index.usedPacks()))) return undefined;
    }
    const archive = access.log.state.archives.get(toHex(descriptor.id)) ?? unstored(descriptor);
    return {
      archive,
      progress,
      problems: problems.kept,
      problemCounts: problems.counts,
      parent: parent?.archive.name,
      durationMs: environment.clock.monotonicMs() - this.startMs,
    };
  }

  private descriptor(
    root: TreeEntry,
    totals: WalkTotals,
    counts: ContentCounts,
    parent: Parent | undefined,
  ): ArchiveDescriptor {
    const { access, options, problems } = this;
    const { files, directories, others, bytes, unchangedChunks } = totals;
    const { newBytes, storedBytes, chunks, newChunks } = counts;
    const earlier = newestOfSeries(access, this.series);
    return {
      id: access.environment.random.bytes(16),
      series: this.series,
      name: archiveName(this.series, this.startNs),
      host: options.host ?? hostname(),
      user: options.user ?? '',
      startNs: this.startNs,
      endNs: access.environment.clock.nowNs(),
      paths: this.sources.map(bytesOf),
      root: new EntryEncoder().encode(root),
      stats: { files, directories, others, bytes, newBytes, storedBytes, chunks: chunks + unchangedChunks, newChunks },
      warnings: [...problems.counts],
      chunkerData: access.config.chunkerData,
      chunkerTree: access.config.chunkerTree,
      parent: parent === undefined || earlier === undefined ? null : Buffer.from(parent.archive.id, 'hex'),
      complete: !problems.incomplete,
      program: options.program ?? 'cairn',
      tags: options.tags ?? [],
      comment: options.comment ?? '',
    };
  }

  /** Paths of what was asked for: of files and directories, and of contents. */
  private get sources(): readonly string[] {
    const { paths, contents = [] } = this.options;
    return [...paths, ...contents.map(({ path }) => path)];
  }

  private refuseEmpty(totals: WalkTotals): void {
    const { counts, incomplete, kept } = this.problems;
    const missing = (counts.get('missing-source') ?? 0) + (counts.get('content') ?? 0);
    const nothing = totals.files + totals.others === 0 && counts.size > 0;
    if (missing < this.sources.length && !(nothing && incomplete)) return;
    const [first] = kept;
    if (this.options.paths.length === 0 && first !== undefined) {
      throw new CairnError('SOURCE_UNREADABLE', first.message, {
        hint: 'No archive was made. Find out why what was to be stored ended badly, and run it again.',
      });
    }
    const sources = this.sources.map(displayName).join(', ');
    throw new CairnError('SOURCE_UNREADABLE', `nothing could be read of ${sources}`, {
      hint: 'Check the paths, and that this account may read them.',
    });
  }

  private progress(totals: WalkTotals, counts: ContentCounts): BackupProgress {
    const { files, directories, unchangedFiles, excluded, bytes } = totals;
    const { newBytes, storedBytes } = counts;
    const problems = [...this.problems.counts.values()].reduce((sum, count) => sum + count, 0);
    return { files, directories, unchangedFiles, excluded, bytes, newBytes, storedBytes, problems };
  }

  private showProgress(totals: WalkTotals, counts: ContentCounts): void {
    if (this.run.onProgress === undefined) return;
    const now = this.access.environment.clock.monotonicMs();
    if (now - this.lastProgressMs < 100) return;
    this.lastProgressMs = now;
    this.run.onProgress(this.progress(totals, counts));
  }
}

function timesOf({ descriptor: { startNs, endNs } }: ArchiveRecord): {
  readonly startNs: bigint;
  readonly endNs: bigint;
} {
  return { startNs, endNs };
}

/** A dry run's archive: described, never stored. */
function unstored(descriptor: ArchiveDescriptor): ArchiveRecord {
  const { name, comment, tags } = descriptor;
  return {
    id: toHex(descriptor.id),
    seq: 0,
    order: 0,
    receivedMs: 0,
    descriptor,
    name,
    comment,
    tags,
    protect: false,
    state: 'live',
    deletedMs: undefined,
  };
}
