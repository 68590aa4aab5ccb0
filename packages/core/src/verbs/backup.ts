import { hostname } from 'node:os';

import { cutRule } from '../chunker/fastcdc.ts';
import { ContentProcessor } from '../backup/content-processor.ts';
import { Crew, defaultThreads } from '../backup/crew.ts';
import { KeptTrees } from '../backup/kept-trees.ts';
import type { ContentCounts } from '../backup/messages.ts';
import { LookAhead } from '../backup/look-ahead.ts';
import { PackUploader } from '../backup/pack-uploader.ts';
import { newestOfSeries, openParent, type Parent } from '../backup/parent.ts';
import { Problems, type Problem, type ProblemKind } from '../backup/problems.ts';
import { processorSetup } from '../backup/processor-setup.ts';
import { planVisits } from '../backup/source-paths.ts';
import { SourceWalk, type Candidate, type Choice, type WalkTotals } from '../backup/source-walk.ts';
import { CairnError } from '../errors.ts';
import { bytesOf, displayName } from '../host/byte-path.ts';
import { returnFreedBlocks } from '../host/memory.ts';
import { systemUsers } from '../host/users.ts';
import { toHex } from '../ids.ts';
import type { ArchiveDescriptor } from '../log/descriptor.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { noTreeCache, type TreeCache } from '../ports/tree-cache.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { EntryEncoder, type TreeEntry } from '../tree/entry.ts';
import { archiveName, commitArchive } from './commit-archive.ts';

export interface BackupOptions {
  /** Absolute paths as byte strings (one character, one byte), without `.` or `..`. */
  readonly paths: readonly string[];
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
}

type StoredReport = Omit<BackupReport, 'cacheFailure'>;

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
    if (attempt === ATTEMPTS) {
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
      return report && { ...report, cacheFailure: kept.failure };
    } finally {
      kept.discard();
      parent?.close();
    }
  }

  private async store(parent: Parent | undefined, kept: KeptTrees): Promise<StoredReport | undefined> {
    const { access, options, problems } = this;
    const { suite, environment, config } = access;
    const index = await access.index();
    index.clearUsedPacks();
    const setup = processorSetup(access, index, 'back up', options.compressionLevel);
    const uploader = new PackUploader(access);
    const put = options.dryRun === true ? async (): Promise<void> => {} : uploader.put.bind(uploader);
    const local = new ContentProcessor(setup, suite, environment.random, await access.zstd(), {
      ready: () => Promise.resolve(),
      async take(pack, recycle) {
        await put(pack);
        recycle(pack.object.buffer as ArrayBuffer);
      },
      relieve: () => undefined,
    });
    const threads = options.threads ?? defaultThreads();
    const crew = new Crew(setup, local, threads, put);
    const earlier = parent && { ...parent, ...timesOf(parent.archive) };
    const lookAhead = earlier === undefined || threads === 0 ? undefined : new LookAhead(earlier);
    const walk = new SourceWalk({
      visit: planVisits(options.paths),
      choose: options.choose ?? (() => 'take'),
      earlier: earlier && { ...earlier, source: lookAhead ?? earlier.source },
      isStored: (id) => index.use(id),
      crew,
      storage: {
        table: setup.gearTable,
        rule: cutRule(config.chunkerTree),
        store(type, plaintext) {
          const id = local.store(type, plaintext);
          kept.add(type, id, plaintext);
          return id;
        },
      },
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
      paths: options.paths.map(bytesOf),
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

  private refuseEmpty(totals: WalkTotals): void {
    const missing = this.problems.counts.get('missing-source') ?? 0;
    const nothing = totals.files + totals.others === 0 && this.problems.counts.size > 0;
    if (missing < this.options.paths.length && !(nothing && this.problems.incomplete)) return;
    throw new CairnError(
      'SOURCE_UNREADABLE',
      `nothing could be read of ${this.options.paths.map(displayName).join(', ')}`,
      {
        hint: 'Check the paths, and that this account may read them.',
      },
    );
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
