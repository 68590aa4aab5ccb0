import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { isSuperuser } from '../host/effective-user.ts';
import { makeRelease, minorCollector } from '../host/memory.ts';
import { systemUsers } from '../host/users.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveWalk, type WalkVisitor } from '../restore/archive-walk.ts';
import { ChunkRescue } from '../restore/chunk-rescue.ts';
import { ContentRestorer, type RestoreContext } from '../restore/content-restorer.ts';
import { DirectoryHandles } from '../restore/directory-handles.ts';
import { DryRun } from '../restore/dry-run.ts';
import { EntryPlanner } from '../restore/entry-planner.ts';
import { defaultRestoreThreads, Lanes } from '../restore/lanes.ts';
import { LinkMaker } from '../restore/link-maker.ts';
import { LinkTable } from '../restore/link-table.ts';
import { MetadataWriter, type RestorePolicy } from '../restore/metadata-writer.ts';
import { openTarget } from '../restore/open-target.ts';
import type { RestoreOptions, RestoreProgress, RestoreReport } from '../restore/options.ts';
import { Reporter } from '../restore/reporter.ts';
import { RestoreVisitor } from '../restore/restore-visitor.ts';
import { Selection } from '../restore/selection.ts';
import { StopSwitch } from '../restore/stop-switch.ts';
import { TargetDirectory } from '../restore/target-directory.ts';
import { Turns } from '../restore/turns.ts';
import { UnitRunner } from '../restore/unit-runner.ts';
import { WindowFinisher } from '../restore/window-finisher.ts';
import type { RunnerSetup } from '../restore/work-unit.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';

export interface RestoreRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
}

/**
 * Restores an archive, or parts of it, below the directory `target`. An entry that cannot be restored is left out whole, and
 * reported; a file is never there with less or other content than in the archive.
 *
 * Rejects with `PATH_MISSING` when the archive lacks one of `paths`, `TARGET_EXISTS` when the target has content,
 * `TARGET_FAILED` when it takes no more (no space, for example), `RIGHT_MISSING` when the key cannot open contents, `CANCELLED`,
 * or like the store does when it does not answer. What was restored by then stays, without half-written files.
 */
export async function restoreArchive(
  access: RepositoryAccess,
  archive: ArchiveRecord,
  target: string,
  options: RestoreOptions = {},
  run: RestoreRun = {},
): Promise<RestoreReport> {
  using stop = new StopSwitch(run.signal);
  stop.check();
  const source = await access.chunkReader();
  const view = new ArchiveView(source, archive);
  const root = view.root();
  for (const path of options.paths ?? []) await view.entry(path);
  const reporter = new Reporter(run.onProgress);
  const policy = policyOf(options);
  const strip = stripOf(options);
  const selection = new Selection(options);
  const walk = async (visitor: WalkVisitor, into: TargetDirectory): Promise<void> => {
    const turns = new Turns(access.environment.clock);
    await new ArchiveWalk(source, selection, strip, visitor, turns).run(root, into);
  };
  if (options.dryRun === true) {
    const nowhere = new TargetDirectory(undefined, '', '/', 0, undefined);
    await walk(new DryRun(reporter, stop, policy.privileged), nowhere);
    return reporter.report();
  }
  const shared = await prepare(access, policy, threadsOf(options));
  const directory = openTarget(
    target,
    options.intoNonEmpty === true,
    strip === 0 ? archive.descriptor.root : undefined,
  );
  const handles = new DirectoryHandles(directory, options.intoNonEmpty === true);
  await write({ ...shared, handles, reporter, stop }, source, directory, walk);
  return reporter.report();
}

type Walk = (visitor: WalkVisitor, target: TargetDirectory) => Promise<void>;
type Prepared = Omit<RestoreContext, 'handles' | 'reporter' | 'stop'>;

/** What can fail before the target is touched. Starts no threads yet. */
async function prepare(access: RepositoryAccess, policy: RestorePolicy, threads: number): Promise<Prepared> {
  const setup = { keys: contentKeys(access), policy };
  const zstd = await access.zstd();
  const release = await makeRelease();
  const users = systemUsers();
  const lanes = new Lanes(setup, new UnitRunner(setup, access.suite, zstd, users, minorCollector()), threads);
  const opener = new ChunkOpener(access.suite, zstd, access.keys);
  const rescue = new ChunkRescue(access, opener, await access.index());
  const metadata = new MetadataWriter(policy, users);
  return { access, policy, lanes, rescue, metadata, release, links: new LinkTable() };
}

/** Restores what the walk gives below the open directory `target`, which is closed at the end. */
async function write(context: RestoreContext, source: ChunkSource, target: TargetDirectory, walk: Walk): Promise<void> {
  const { access, policy, handles, links, lanes, stop } = context;
  const content = new ContentRestorer(context);
  const planner = new EntryPlanner(source, links, policy.sparse);
  using linkMaker = new LinkMaker(target, handles);
  const turns = new Turns(access.environment.clock);
  const finisher = new WindowFinisher(context, content, planner, linkMaker, turns);
  const visitor = new RestoreVisitor(context, content, planner, finisher);
  try {
    await walk(visitor, target);
    await visitor.drain();
  } catch (error) {
    stop.stop(error);
    throw stop.signal.reason;
  } finally {
    await visitor.settled();
    await lanes.stop();
    content.discardOpen();
    handles.close();
  }
}

/** What opening file contents takes, and no more. Rejects with `RIGHT_MISSING`. */
function contentKeys(access: RepositoryAccess): RunnerSetup['keys'] {
  const { repo, pkD, pkM } = access.keys;
  const secret = (name: 'psk' | 'skD' | 'idData'): Uint8Array => access.secret(name, 'open file contents');
  return { repo, pkD, pkM, psk: secret('psk'), skD: secret('skD'), idData: secret('idData') };
}

function policyOf({ privileged, numericOwner, sparse }: RestoreOptions): RestorePolicy {
  return {
    privileged: privileged === true && isSuperuser(),
    numericOwner: numericOwner === true,
    sparse: sparse !== false,
  };
}

function stripOf({ stripComponents = 0 }: RestoreOptions): number {
  return wholeNumber('the number of components to strip', stripComponents);
}

function threadsOf({ threads }: RestoreOptions): number {
  return threads === undefined ? defaultRestoreThreads() : wholeNumber('the number of threads', threads);
}

function wholeNumber(what: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new CairnError('USAGE', `${what} cannot be ${value}`, { hint: 'Give 0 or a whole number above.' });
  }
  return value;
}
