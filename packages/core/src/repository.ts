import { fingerprintOf, describeRights, type Capabilities } from './crypto/capabilities.ts';
import { nodeSuite } from './crypto/node-suite.ts';
import { CairnError } from './errors.ts';
import { displayName, fromUtf8, type ByteString } from './host/byte-path.ts';
import { systemEnvironment } from './host/environment.ts';
import { MemoryClientState } from './host/memory-client-state.ts';
import { pathBytes, resolveSource, type PathInput } from './host/resolve-source.ts';
import { formatFingerprint } from './keys/fingerprint.ts';
import { parseKeyFileText } from './keys/key-file.ts';
import { encodeRecoveryKey } from './keys/recovery.ts';
import type { Because } from './log/because.ts';
import type { ArchiveRecord } from './log/state.ts';
import { doubtsOf } from './log/doubts.ts';
import { noCheckMemory, type CheckMemory } from './ports/check-memory.ts';
import type { ClientState } from './ports/client-state.ts';
import type { ContentSource } from './ports/content-source.ts';
import type { CryptoSuite } from './ports/crypto-suite.ts';
import type { Environment } from './ports/environment.ts';
import type { ObjectStore } from './ports/object-store.ts';
import { noTreeCache, type TreeCache } from './ports/tree-cache.ts';
import { RepositoryAccess, readConfigObject, type AccessOptions } from './repository/access.ts';
import { readConfig, type RepositoryConfig } from './repository/config.ts';
import { createRepository } from './repository/create.ts';
import type { ArchiveReader, ArchiveReaderOptions } from './read/archive-reader.ts';
import type { InPlaceOptions, RestoreOptions, RestoreReport } from './restore/options.ts';
import type { SelectionOptions } from './scan/selection.ts';
import type { ArchiveView } from './tree/archive-view.ts';
import { listArchives, resolveArchive, type ListArchivesOptions, type ResolveOptions } from './verbs/archives.ts';
import type { Excluded } from './backup/selection-choice.ts';
import type * as Annotate from './verbs/annotate.ts';
import type * as Backup from './verbs/backup.ts';
import type * as Check from './verbs/check.ts';
import type * as Delete from './verbs/delete.ts';
import type * as Compact from './verbs/compact.ts';
import type * as Copy from './verbs/copy.ts';
import type * as Diff from './verbs/diff.ts';
import type * as History from './verbs/history.ts';
import type * as Pending from './verbs/pending.ts';
import type * as Pin from './verbs/pin.ts';
import type * as ExportTar from './verbs/export-tar.ts';
import type * as ImportTar from './verbs/import-tar.ts';
import type * as Restore from './verbs/restore.ts';
import type * as Rewrite from './verbs/rewrite.ts';
import type * as Stats from './verbs/stats.ts';
import type * as Repair from './verbs/repair.ts';
import type * as RepairLog from './verbs/repair-log.ts';
import type { Explanation } from './verbs/explain.ts';
import type * as Find from './verbs/find.ts';
import type * as Prune from './verbs/prune.ts';

/** What a client of a repository may bring; every part has a default. */
export interface ClientOptions {
  /** What this client saw before. Default: remembered only as long as the process runs; see `clientFiles`. */
  readonly clientState?: ClientState;
  /** Trees of the newest archives, so that a write key backs up incrementally. Default: none; see `clientFiles`. */
  readonly treeCache?: TreeCache;
  /** When packs were checked, so that a check goes on where the last one stopped. Default: none; see `clientFiles`. */
  readonly checkMemory?: CheckMemory;
  /** Clocks and random bytes. Default: this machine's. */
  readonly environment?: Environment;
  /** Default: `node:crypto`. */
  readonly suite?: CryptoSuite;
}

/** How a repository is opened. */
export interface OpenOptions extends ClientOptions {
  /** A key file's text, or what was read from one. */
  readonly keys: Capabilities | string;
}

/** How a repository is made. */
export interface CreateOptions extends ClientOptions {
  /** Called with the root key's capabilities before the repository exists; when it rejects, no repository is made. */
  readonly saveKeys?: (keys: Capabilities) => Promise<void>;
}

/** A repository that was made, opened with its root key. */
export interface CreatedRepository {
  readonly repository: Repository;
  /** The root key's capabilities. They exist nowhere else: save them, or nobody can ever read the repository. */
  readonly keys: Capabilities;
  /** The root key as text, 17 groups of 5. Whoever has it can read everything. */
  readonly recoveryKey: string;
}

/** What a store tells about its repository to anybody, without a key. Nothing of it is proved. */
export type RepositoryClaims = RepositoryConfig;

/**
 * A repository that was opened with a key. Methods reject with `RIGHT_MISSING` when the key does not allow them. Paths are
 * given as text or as bytes, and come back as byte strings (one character for each byte): `toUtf8` and `displayName` turn them
 * into text, `bytesOf` into bytes.
 */
export class Repository implements AsyncDisposable {
  /** For programs that need what this class does not offer. */
  readonly access: RepositoryAccess;
  private readonly treeCache: TreeCache;
  private readonly checkMemory: CheckMemory;

  private constructor(access: RepositoryAccess, treeCache: TreeCache, checkMemory: CheckMemory) {
    this.access = access;
    this.treeCache = treeCache;
    this.checkMemory = checkMemory;
  }

  /** Makes a repository in an empty store, with a fresh root key. Rejects with `REPOSITORY_EXISTS`. */
  static async create(store: ObjectStore, options: CreateOptions = {}): Promise<CreatedRepository> {
    const { environment = systemEnvironment, suite = nodeSuite, saveKeys, ...rest } = options;
    const keys = await createRepository(store, suite, environment, saveKeys);
    const recoveryKey = encodeRecoveryKey(suite, keys);
    return { repository: await Repository.open(store, { environment, suite, ...rest, keys }), keys, recoveryKey };
  }

  /**
   * Opens a repository: verifies its config and replays its log. Rejects with `REPOSITORY_MISSING`, `WRONG_KEY`, `CORRUPT`,
   * `ROLLBACK_DETECTED` or `FORMAT_UNSUPPORTED`. `close` also closes the store.
   */
  static async open(store: ObjectStore, options: OpenOptions): Promise<Repository> {
    const { treeCache = noTreeCache, checkMemory = noCheckMemory } = options;
    const access = await RepositoryAccess.open({ ...accessOptions(options), store });
    return new Repository(access, treeCache, checkMemory);
  }

  /**
   * Looks whether the newest entry of a log is damaged, so that the repository does not open; undefined when it is not. Rejects
   * like the verb `planLogRepair`.
   */
  static async planLogRepair(
    store: RepairLog.AsideStore,
    options: OpenOptions,
  ): Promise<RepairLog.LogRepairPlan | undefined> {
    const { planLogRepair } = await import('./verbs/repair-log.ts');
    return await planLogRepair({ ...accessOptions(options), store });
  }

  /** Sets the entry of such a plan aside. Rejects like the verb `applyLogRepair`. */
  static async repairLog(
    store: RepairLog.AsideStore,
    plan: RepairLog.LogRepairPlan,
    options: OpenOptions,
  ): Promise<void> {
    const { applyLogRepair } = await import('./verbs/repair-log.ts');
    await applyLogRepair({ ...accessOptions(options), store }, plan);
  }

  /** What the store tells without a key. Rejects with `REPOSITORY_MISSING`, `CORRUPT` or `FORMAT_UNSUPPORTED`. */
  static async inspect(store: ObjectStore): Promise<RepositoryClaims> {
    return readConfig(await readConfigObject(store));
  }

  /** 32 hex digits. */
  get id(): string {
    return this.access.id;
  }

  /** Of the repository's keys: `XXXX-XXXX-XXXX-XXXX`. */
  get fingerprint(): string {
    return formatFingerprint(fingerprintOf(this.access.suite, this.access.keys));
  }

  /** What the key at hand can do: `root`, `read`, `maintain`, `write`, or some of them joined by `+`. */
  get rights(): string {
    return describeRights(this.access.keys);
  }

  /**
   * Backs up files, directories and contents as a new archive. A relative path starts at the working directory; links on the
   * way to a source are followed. Rejects like the verb `backup`.
   */
  async backup(request: BackupRequest, run: BackupRun = {}): Promise<Backup.BackupReport> {
    const [{ backup }, { Selection }, { choiceOf }] = await Promise.all([
      import('./verbs/backup.ts'),
      import('./scan/selection.ts'),
      import('./backup/selection-choice.ts'),
    ]);
    const { paths, contents: given = [], select, ...options } = request;
    const { onExcluded, ...rest } = run;
    const contents = given.map((content) => ({ ...content, path: pathBytes(content.path) }));
    const sources = paths.length === 0 && contents.length > 0 ? [] : this.sourcesOf(paths);
    const selection = new Selection({ ...select, storePaths: [...this.storePaths(), ...(select?.storePaths ?? [])] });
    const choose = choiceOf(selection, onExcluded);
    try {
      const all = { treeCache: this.treeCache, ...options, choose, paths: sources, contents };
      return await backup(this.access, all, rest);
    } finally {
      this.access.forgetIndex();
    }
  }

  /** Says for each path whether `backup` with this request takes it, and which rule decides. */
  async explain(request: Pick<BackupRequest, 'paths' | 'select'>, paths: readonly PathInput[]): Promise<Explanation[]> {
    const select = { ...request.select, storePaths: [...this.storePaths(), ...(request.select?.storePaths ?? [])] };
    return await explainPaths({ paths: request.paths, select }, paths);
  }

  /** The sources of a request. Rejects with `USAGE` when one lies in the store, or there is none. */
  private sourcesOf(paths: readonly PathInput[]): ByteString[] {
    if (paths.length === 0) {
      throw new CairnError('USAGE', 'no path to back up is given', { hint: 'Name at least one file or directory.' });
    }
    const sources = paths.map(resolveSource);
    const within = sources.find((source) => this.storePaths().some((store) => `${source}/`.startsWith(`${store}/`)));
    if (within === undefined) return sources;
    throw new CairnError('USAGE', `${displayName(within)} is a part of the repository, which cannot hold itself`, {
      hint: 'Copy a repository with any tool that keeps file times.',
    });
  }

  /** Where the store is in this machine's file system; a repository is never backed up into itself. */
  private storePaths(): ByteString[] {
    const { localPath } = this.access.store;
    return localPath === undefined ? [] : [fromUtf8(localPath)];
  }

  /** The archives that meet all conditions, oldest first. */
  archives(options: ListArchivesOptions = {}): readonly ArchiveRecord[] {
    return listArchives(this.access.log.state, options);
  }

  /**
   * What is wrong with the log without stopping anybody: entries that no key opens, and what each of them costs. Whoever shows
   * archives has to say so, because those of such entries are not among them.
   */
  doubts(): readonly CairnError[] {
    return doubtsOf(this.access.log);
  }

  /**
   * The archive that is meant by `latest`, `SERIES@latest`, an id, a name, or the beginning of one. Rejects with
   * `ARCHIVE_MISSING` or `ARCHIVE_AMBIGUOUS`.
   */
  archive(ref: string, options: ResolveOptions = {}): ArchiveRecord {
    return resolveArchive(this.access.log.state, ref, options);
  }

  /** An archive as a tree of files to look at and read. */
  async view(ref: string | ArchiveRecord): Promise<ArchiveView> {
    const { ArchiveView } = await import('./tree/archive-view.ts');
    return new ArchiveView(await this.access.chunkReader(), this.resolve(ref));
  }

  /** The chunks of all archives for a reader that stays, as a mount is: opened in threads, and kept. To be disposed of. */
  async reader(options: ArchiveReaderOptions = {}): Promise<ArchiveReader> {
    const { ArchiveReader } = await import('./read/archive-reader.ts');
    return await ArchiveReader.open(this.access, options);
  }

  /** Searches archives for paths, the newest archive first. */
  async *find(options: Find.FindOptions): AsyncGenerator<Find.Found> {
    const { findPaths } = await import('./verbs/find.ts');
    yield* findPaths(this.access, options);
  }

  /**
   * Restores an archive, or parts of it, below the directory `target`, which must be empty or absent unless told otherwise.
   * What could not be restored as asked is in the report. Rejects like the verb `restore`.
   */
  async restore(
    ref: string | ArchiveRecord,
    target: string,
    options: RestoreRequest = {},
    run: Restore.RestoreRun = {},
  ): Promise<RestoreReport> {
    const { restoreArchive } = await import('./verbs/restore.ts');
    const { inPlace, ...rest } = options;
    const spare = inPlace && [...this.storePaths(), ...(inPlace.spare ?? []).map(resolveSource)];
    const all = { ...rest, ...(inPlace === undefined ? {} : { inPlace: { ...inPlace, ...(spare && { spare }) } }) };
    return await restoreArchive(this.access, this.resolve(ref), target, withPaths(all), run);
  }

  /**
   * Writes an archive, or parts of it, as a tar stream. `sink` is given the bytes in order, and waited for. Rejects like the
   * verb `exportTar`.
   */
  async exportTar(
    ref: string | ArchiveRecord,
    sink: ExportTar.ByteSink,
    options: WithPathInputs<ExportTar.ExportTarOptions> = {},
    run: ExportTar.ExportTarRun = {},
  ): Promise<ExportTar.ExportTarReport> {
    const { exportTar } = await import('./verbs/export-tar.ts');
    return await exportTar(this.access, this.resolve(ref), sink, withPaths(options), run);
  }

  /** Makes an archive of a tar stream. Rejects like the verb `importTar`. */
  async importTar(
    pieces: AsyncIterable<Uint8Array>,
    options: ImportTar.ImportTarOptions = {},
    run: ImportTar.ImportTarRun = {},
  ): Promise<ImportTar.ImportTarReport> {
    const { importTar } = await import('./verbs/import-tar.ts');
    try {
      return await importTar(this.access, pieces, options, run);
    } finally {
      this.access.forgetIndex();
    }
  }

  /** The differences between two archives. */
  async *diff(
    before: string | ArchiveRecord,
    after: string | ArchiveRecord,
    options: DiffRequest = {},
  ): AsyncGenerator<Diff.Change> {
    const { diffArchives } = await import('./verbs/diff.ts');
    yield* diffArchives(this.access, this.resolve(before), this.resolve(after), withPaths(options));
  }

  /** Checks the repository. Damage is a finding in the report, never an error. */
  async check(options: Check.CheckOptions = {}, run: Check.CheckRun = {}): Promise<Check.CheckReport> {
    const { checkRepository } = await import('./verbs/check.ts');
    return await checkRepository(this.access, { memory: this.checkMemory, ...options }, run);
  }

  /** What a repair would do. Writes nothing. Rejects like the verb `planRepair`. */
  async planRepair(options: Repair.RepairOptions = {}, run: Repair.RepairRun = {}): Promise<Repair.RepairPlan> {
    const { planRepair } = await import('./verbs/repair.ts');
    return await planRepair(this.access, options, run);
  }

  /** Carries out a plan of `planRepair`. Deletes nothing. Rejects like the verb `applyRepair`. */
  async repair(plan: Repair.RepairPlan, run: Repair.RepairRun = {}): Promise<Repair.RepairReport> {
    const { applyRepair } = await import('./verbs/repair.ts');
    return await applyRepair(this.access, plan, run);
  }

  /** Copies archives into another repository. Rejects like the verb `copyArchives`. */
  async copyTo(
    target: Repository,
    refs: readonly (string | ArchiveRecord)[],
    options: Copy.CopyOptions = {},
    run: Copy.CopyRun = {},
  ): Promise<Copy.CopyReport> {
    const { copyArchives } = await import('./verbs/copy.ts');
    const archives = refs.map((ref) => this.resolve(ref));
    return await copyArchives(this.access, target.access, archives, options, run);
  }

  /** Plans to hide archives; `delete` does it. Rejects like the verb `delete`. */
  async planDelete(refs: readonly (string | ArchiveRecord)[]): Promise<Delete.DeletePlan> {
    const { planDelete } = await import('./verbs/delete.ts');
    return planDelete(
      this.access,
      refs.map((ref) => this.resolve(ref)),
    );
  }

  /** Hides the archives of a plan: nobody sees them any more, and until compact drops them `undelete` brings them back. */
  async delete(plan: Delete.DeletePlan, options: Delete.DeleteOptions = {}): Promise<Delete.DeleteReport> {
    const { applyDelete } = await import('./verbs/delete.ts');
    return await applyDelete(this.access, plan, options);
  }

  /** Plans to bring deleted archives back; `undelete` does it. Names mean deleted archives only. */
  async planUndelete(refs: readonly (string | ArchiveRecord)[]): Promise<Delete.DeletePlan> {
    const { planUndelete } = await import('./verbs/delete.ts');
    return planUndelete(
      this.access,
      refs.map((ref) => this.resolve(ref, { deleted: 'only' })),
    );
  }

  /** Brings the archives of a plan back. Rejects with `ARCHIVE_MISSING` when compact has dropped one meanwhile. */
  async undelete(plan: Delete.DeletePlan, options: Delete.DeleteOptions = {}): Promise<Delete.DeleteReport> {
    const { applyUndelete } = await import('./verbs/delete.ts');
    return await applyUndelete(this.access, plan, options);
  }

  /** Keeps archives from being deleted by anybody, or ends that. Gives them as they are afterwards. */
  async protect(refs: readonly (string | ArchiveRecord)[], protect = true): Promise<ArchiveRecord[]> {
    const { protectArchives } = await import('./verbs/annotate.ts');
    const archives = refs.map((ref) => this.resolve(ref));
    return await protectArchives(this.access, archives, protect);
  }

  /** Gives an archive another name. Rejects with `USAGE` when it cannot be called so. */
  async rename(ref: string | ArchiveRecord, name: string): Promise<ArchiveRecord> {
    const { renameArchive } = await import('./verbs/annotate.ts');
    return await renameArchive(this.access, this.resolve(ref), name);
  }

  /** Sets the comment of archives; the empty text removes it. */
  async comment(refs: readonly (string | ArchiveRecord)[], comment: string): Promise<ArchiveRecord[]> {
    const { commentArchives } = await import('./verbs/annotate.ts');
    const archives = refs.map((ref) => this.resolve(ref));
    return await commentArchives(this.access, archives, comment);
  }

  /** Changes the tags of archives. */
  async tag(refs: readonly (string | ArchiveRecord)[], change: Annotate.TagChange): Promise<ArchiveRecord[]> {
    const { tagArchives } = await import('./verbs/annotate.ts');
    const archives = refs.map((ref) => this.resolve(ref));
    return await tagArchives(this.access, archives, change);
  }

  /** Changes several things of an archive at once, whole or not at all. Gives it as it is afterwards. */
  async change(ref: string | ArchiveRecord, change: Annotate.ArchiveChange): Promise<ArchiveRecord> {
    const { changeArchive } = await import('./verbs/annotate.ts');
    return await changeArchive(this.access, this.resolve(ref), change);
  }

  /** Keeps archives, live or deleted, from being dropped while they are read. The pin must be renewed, or it ends. */
  async pin(refs: readonly (string | ArchiveRecord)[], options: Pin.PinOptions): Promise<Pin.ArchivePin> {
    const { pinArchives } = await import('./verbs/pin.ts');
    const archives = refs.map((ref) => this.resolve(ref, { deleted: true }));
    return await pinArchives(this.access, archives, options);
  }

  /** What the repository holds, what deleting archives would free, and how it grew. Reads trees, never contents. */
  async stats(options: StatsRequest = {}, run: Stats.StatsRun = {}): Promise<Stats.StatsReport> {
    const { repositoryStats } = await import('./verbs/stats.ts');
    const ifDeleted = options.ifDeleted?.map((ref) => this.resolve(ref));
    return await repositoryStats(this.access, ifDeleted === undefined ? {} : { ifDeleted }, run);
  }

  /**
   * Makes new archives without the paths that match, and leaves alone those that have none. Needs a key that reads and writes.
   * Rejects like the verb `rewrite`, and with `USAGE` for a pattern that is wrong.
   */
  async rewrite(request: RewriteRequest, signal?: AbortSignal): Promise<Rewrite.RewrittenArchive[]> {
    const [{ rewriteArchives }, { pathMatcher }] = await Promise.all([
      import('./verbs/rewrite.ts'),
      import('./scan/path-matcher.ts'),
    ]);
    const { archives, exclude, ...options } = request;
    const match = pathMatcher(exclude);
    const resolved = archives.map((ref) => this.resolve(ref));
    return await rewriteArchives(this.access, { ...options, archives: resolved, match }, signal);
  }

  /** What was decided, and when: entries of the log, the oldest first. */
  async *history(options: History.HistoryOptions = {}): AsyncGenerator<History.HistoryEntry> {
    const { history } = await import('./verbs/history.ts');
    yield* history(this.access, options);
  }

  /** What `compact` would do. Writes nothing. Rejects like the verb `planCompact`. */
  async planCompact(options: Compact.CompactOptions = {}, run: Compact.CompactRun = {}): Promise<Compact.CompactPlan> {
    const { planCompact } = await import('./verbs/compact.ts');
    return await planCompact(this.access, options, run);
  }

  /**
   * Gives back space: drops archives that were deleted for the grace, and removes what no archive needs. Give the options, or
   * a plan that `planCompact` made. Rejects like the verbs `planCompact` and `applyCompact`.
   */
  async compact(
    what: Compact.CompactOptions | Compact.CompactPlan = {},
    run: Compact.CompactRun = {},
  ): Promise<Compact.CompactReport> {
    const { applyCompact, planCompact } = await import('./verbs/compact.ts');
    return await applyCompact(this.access, 'seq' in what ? what : await planCompact(this.access, what, run), run);
  }

  /**
   * What is deleted or condemned, and when `compact` with that grace, milliseconds, may drop or remove it: as far as the log that
   * was replayed tells.
   */
  async pending(graceMs?: number): Promise<Pending.PendingDeletions> {
    const { pendingDeletions } = await import('./verbs/pending.ts');
    return pendingDeletions(this.access, graceMs);
  }

  /** Decides which archives a retention policy keeps, and changes nothing. Rejects like the verb `prune`. */
  async planPrune(options: Prune.PruneOptions): Promise<Prune.PrunePlan> {
    const { planPrune } = await import('./verbs/prune.ts');
    return await planPrune(this.access, options);
  }

  /** Deletes what the plan removes; `undelete` brings it back until its grace is over. Rejects like the verb `prune`. */
  async prune(plan: Prune.PrunePlan, who: Pick<Because, 'by'> = {}): Promise<Prune.PruneReport> {
    const { applyPrune } = await import('./verbs/prune.ts');
    return await applyPrune(this.access, plan, who);
  }

  private resolve(ref: string | ArchiveRecord, options: ResolveOptions = {}): ArchiveRecord {
    return typeof ref === 'string' ? this.archive(ref, options) : ref;
  }

  /** Closes the store. */
  async close(): Promise<void> {
    await this.access.store[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function accessOptions(options: OpenOptions): Omit<AccessOptions, 'store'> {
  const { environment = systemEnvironment, suite = nodeSuite, clientState = new MemoryClientState() } = options;
  const keys = typeof options.keys === 'string' ? parseKeyFileText(suite, options.keys).capabilities : options.keys;
  return { keys, suite, environment, clientState };
}

/** What is to be backed up. */
export interface BackupRequest extends Omit<Backup.BackupOptions, 'paths' | 'contents' | 'choose'> {
  readonly paths: readonly PathInput[];
  /** What no file system holds, each at an absolute path of the archive: see `commandContent`. */
  readonly contents?: readonly (Omit<ContentSource, 'path'> & { readonly path: PathInput })[];
  /** What to leave out. The store itself always is. */
  readonly select?: SelectionOptions;
}

/** Which archives are to be made anew, and without what. */
export interface RewriteRequest extends Omit<Rewrite.RewriteOptions, 'archives' | 'match'> {
  readonly archives: readonly (string | ArchiveRecord)[];
  /** Patterns, written as for excludes of a backup. */
  readonly exclude: readonly string[];
}

/** What is to be counted. */
export interface StatsRequest {
  /** Live archives that would be deleted together. */
  readonly ifDeleted?: readonly (string | ArchiveRecord)[];
}

/** How a backup under way is followed and stopped. */
export interface BackupRun extends Backup.RunOptions {
  /** Hears of each thing that is left out, not of what is in it. */
  readonly onExcluded?: (excluded: Excluded) => void;
}

/** Options of a verb with the paths as callers write them. */
type WithPathInputs<T> = Omit<T, 'paths'> & {
  /** Paths in the archives. */
  readonly paths?: readonly PathInput[];
};

/** What is to be restored, and how. Everything, into an empty directory, unless it says otherwise. */
export type RestoreRequest = WithPathInputs<Omit<RestoreOptions, 'inPlace'>> & {
  readonly inPlace?: Omit<InPlaceOptions, 'spare'> & {
    /** Never removed, nor what is in it. The store itself never is. */
    readonly spare?: readonly PathInput[];
  };
};
/** What is to be compared. */
export type DiffRequest = WithPathInputs<Diff.DiffOptions>;

function withPaths<T>({ paths, ...options }: WithPathInputs<T>): Omit<T, 'paths'> & { paths?: readonly ByteString[] } {
  return { ...(options as Omit<T, 'paths'>), ...(paths === undefined ? {} : { paths: paths.map(pathBytes) }) };
}

/**
 * Says for each path whether a backup of these sources takes it, and which rule decides. Paths need not exist. Rejects with
 * `USAGE` for a wrong pattern; throws a system error when a directory on the way cannot be looked into.
 */
export async function explainPaths(
  request: Pick<BackupRequest, 'paths' | 'select'>,
  paths: readonly PathInput[],
): Promise<Explanation[]> {
  const [{ explainSource }, { Selection }] = await Promise.all([
    import('./verbs/explain.ts'),
    import('./scan/selection.ts'),
  ]);
  const selection = new Selection(request.select ?? {});
  const sources = request.paths.map(resolveSource);
  return paths.map((path) => explainSource(selection, sources, resolveSource(path)));
}
