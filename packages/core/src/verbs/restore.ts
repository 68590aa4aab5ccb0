import { ChunkIds, ChunkOpener } from '../crypto/chunk-crypto.ts';
import { statFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { makeRelease, minorCollector } from '../host/memory.ts';
import { systemUsers } from '../host/users.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ArchiveWalk, type WalkVisitor } from '../restore/archive-walk.ts';
import { ChunkRescue } from '../restore/chunk-rescue.ts';
import { ContentComparer } from '../restore/compare-content.ts';
import { ContentRestorer, type RestoreContext } from '../restore/content-restorer.ts';
import { DirectoryHandles, type FoundHooks } from '../restore/directory-handles.ts';
import { DryRun } from '../restore/dry-run.ts';
import { EntryPlanner } from '../restore/entry-planner.ts';
import { ExistingMetadata } from '../restore/existing-metadata.ts';
import { ExtraRemover } from '../restore/extra-remover.ts';
import { isComplete, namesFound } from '../restore/found-directory.ts';
import { identitiesOf } from '../restore/identities.ts';
import { InPlace } from '../restore/in-place.ts';
import { InPlaceDryRun } from '../restore/in-place-dry-run.ts';
import { Lanes } from '../restore/lanes.ts';
import { LinkMaker } from '../restore/link-maker.ts';
import { LinkTable } from '../restore/link-table.ts';
import { MetadataWriter, type RestorePolicy } from '../restore/metadata-writer.ts';
import { checkOptions, policyOf, stripOf, threadsOf } from '../restore/option-checks.ts';
import { openExistingTarget, openTarget } from '../restore/open-target.ts';
import type { RestoreAction, RestoreOptions, RestoreProgress, RestoreReport } from '../restore/options.ts';
import { Reporter } from '../restore/reporter.ts';
import { RestoreVisitor } from '../restore/restore-visitor.ts';
import { assertRoom, roomAt, SpaceSurvey } from '../restore/room.ts';
import { Selection } from '../restore/selection.ts';
import { StopSwitch } from '../restore/stop-switch.ts';
import { TargetDirectory } from '../restore/target-directory.ts';
import { Turns } from '../flow/turns.ts';
import { UnitRunner } from '../restore/unit-runner.ts';
import { Verifier, WrittenFiles } from '../restore/verify.ts';
import { WindowFinisher } from '../restore/window-finisher.ts';
import type { RunnerSetup } from '../restore/work-unit.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { decodeEntry } from '../tree/entry.ts';

/** How a restore is followed and stopped. */
export interface RestoreRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
  /** Hears, for a restore in place, what is done with each name as that is decided; of a dry run, what would be. */
  readonly onAction?: (action: RestoreAction) => void;
}

/**
 * Restores an archive, or parts of it, below the directory `target`. An entry that cannot be restored is left out whole, and
 * reported; a file is never there with less or other content than in the archive.
 *
 * Rejects with `PATH_MISSING` when the archive lacks one of `paths`, `TARGET_EXISTS` when the target has content and the restore
 * is not one in place, `TARGET_FAILED` when it takes no more (no space, for example), `RIGHT_MISSING` when the key cannot open
 * contents, `USAGE` for options that exclude each other, `CANCELLED`, or like the store does when it does not answer. What was
 * restored by then stays, without half-written files.
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
  checkOptions(archive, options);
  const source = await access.chunkReader();
  const view = new ArchiveView(source, archive);
  const root = view.root();
  for (const path of options.paths ?? []) await view.entry(path);
  const reporter = new Reporter(run.onProgress, run.onAction);
  const policy = policyOf(options);
  const strip = stripOf(options);
  const walk = async (visitor: WalkVisitor, into: TargetDirectory): Promise<void> => {
    const turns = new Turns(access.environment.clock);
    await new ArchiveWalk(source, new Selection(options), strip, visitor, turns).run(root, into);
  };
  const job: Job = { access, archive, target, options, policy, source, walk, reporter, stop };
  if (options.dryRun === true) {
    await lookOnly(job);
    return reporter.report();
  }
  const shared = await prepare(job, threadsOf(options));
  if (options.ignoreSpace !== true) await checkRoom(job);
  const directory = openTarget(
    target,
    options.intoNonEmpty === true || options.inPlace !== undefined,
    strip === 0 ? archive.descriptor.root : undefined,
  );
  await write(shared, job, directory);
  return reporter.report();
}

/** One call of `restoreArchive`. */
interface Job {
  readonly access: RepositoryAccess;
  readonly archive: ArchiveRecord;
  readonly target: string;
  readonly options: RestoreOptions;
  readonly policy: RestorePolicy;
  readonly source: ChunkSource;
  readonly walk: (visitor: WalkVisitor, target: TargetDirectory) => Promise<void>;
  readonly reporter: Reporter;
  readonly stop: StopSwitch;
}

type Prepared = Omit<RestoreContext, 'handles' | 'reporter' | 'stop'>;

/** What can fail before the target is touched. Starts no threads yet. */
async function prepare(job: Job, threads: number): Promise<Prepared> {
  const { access, policy } = job;
  const setup = { keys: contentKeys(access), policy };
  const zstd = await access.zstd();
  const release = await makeRelease();
  const users = systemUsers();
  const lanes = new Lanes(setup, new UnitRunner(setup, access.suite, zstd, users, minorCollector()), threads);
  const opener = new ChunkOpener(access.suite, zstd, access.keys);
  const rescue = new ChunkRescue(access, opener, await access.index());
  const metadata = new MetadataWriter(policy, users);
  return { access, policy, lanes, rescue, metadata, release, links: new LinkTable(), ...inPlaceParts(job, metadata) };
}

/** What a restore in place takes besides. */
function inPlaceParts(
  { access, options, policy, source, reporter }: Job,
  metadata: MetadataWriter,
): Pick<RestoreContext, 'existing' | 'inPlace' | 'remover'> {
  const existing = new ExistingMetadata(metadata, policy);
  const { inPlace: asked } = options;
  if (asked === undefined) return { existing, inPlace: undefined, remover: undefined };
  const dryRun = options.dryRun === true;
  const turns = new Turns(access.environment.clock);
  const content = new ContentComparer(source, new ChunkIds(access.suite, contentKeys(access)), turns);
  const inPlace = new InPlace(asked.overwrite ?? 'different', content, existing, metadata, dryRun);
  const spared = asked.delete === true ? identitiesOf(asked.spare ?? []) : [];
  const remover = asked.delete === true ? new ExtraRemover(spared, reporter, turns, dryRun) : undefined;
  return { existing, inPlace, remover };
}

/** Restores what the walk gives below the open directory `target`, which is closed at the end. */
async function write(shared: Prepared, job: Job, target: TargetDirectory): Promise<void> {
  const { access, options, source, reporter, stop } = job;
  const { policy, links, lanes, inPlace } = shared;
  const hooks = inPlace && foundHooks(job, inPlace, shared.existing);
  const handles = new DirectoryHandles(target, options.intoNonEmpty === true || inPlace !== undefined, hooks);
  const context: RestoreContext = { ...shared, handles, reporter, stop };
  const content = new ContentRestorer(context);
  const planner = new EntryPlanner(source, links, policy);
  using linkMaker = new LinkMaker(target, handles, policy.placement, () => reporter.replaced(1));
  const turns = new Turns(access.environment.clock);
  const finisher = new WindowFinisher(context, content, planner, linkMaker, turns);
  const written = new WrittenFiles();
  const visitor = new RestoreVisitor(context, content, planner, finisher, written);
  try {
    if (target.made?.byUs === false) {
      target.wanted = wantsRoot(options);
      hooks?.found(target);
    }
    await job.walk(visitor, target);
    await visitor.drain();
    if (options.verify === true) await readBack(job, target, written);
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

/** What a restore in place does with a directory that is there already. */
function foundHooks(job: Job, inPlace: InPlace, existing: ExistingMetadata): FoundHooks {
  const complete = completeness(job);
  return {
    mayReplace(parentFd, { encoded }) {
      const may = encoded !== undefined && inPlace.mayReplace(parentFd, decodeEntry(encoded));
      if (may) job.reporter.replaced(1);
      return may;
    },
    found(directory) {
      const { fd, wanted, encoded, parent } = directory;
      if (wanted && encoded !== undefined && parent !== undefined) {
        directory.matched = existing.isEqual(fd, statFd(fd), decodeEntry(encoded));
      }
      const names = namesFound(fd, false);
      if (wanted && complete(directory.path)) directory.extra = new Set(names);
    },
  };
}

/** True for directories in which what the archive does not have is to be removed. */
function completeness({ archive, options }: Job): (path: ByteString) => boolean {
  if (options.inPlace?.delete !== true) return () => false;
  const sources = archive.descriptor.paths.map((path) => Buffer.from(path).toString('latin1'));
  return (path) => isComplete(sources, path);
}

/** True when the target stands for the root of the archive, with all that is in it. */
function wantsRoot({ paths, include, stripComponents = 0 }: RestoreOptions): boolean {
  return paths === undefined && include === undefined && stripComponents === 0;
}

async function readBack({ access, source, walk, reporter, stop }: Job, target: TargetDirectory, written: WrittenFiles) {
  const turns = new Turns(access.environment.clock);
  const content = new ContentComparer(source, new ChunkIds(access.suite, contentKeys(access)), turns);
  const verifier = new Verifier(written, content, reporter, stop);
  try {
    await walk(verifier, target);
  } finally {
    verifier.close();
  }
}

async function lookOnly(job: Job): Promise<void> {
  const { options, policy, target, walk, reporter, stop } = job;
  const { privileged } = policy;
  if (options.inPlace === undefined) {
    await walk(new DryRun(reporter, stop, privileged), new TargetDirectory(undefined, '', '/', 0, undefined));
    return;
  }
  const metadata = new MetadataWriter(policy, systemUsers());
  const { inPlace, ...parts } = inPlaceParts(job, metadata);
  if (inPlace === undefined) return;
  const visitor = new InPlaceDryRun({ ...parts, inPlace, reporter, stop, privileged, isComplete: completeness(job) });
  const directory = openExistingTarget(target);
  try {
    visitor.begin(directory, wantsRoot(options));
    await walk(visitor, directory);
  } finally {
    visitor.close(directory);
  }
}

/** Rejects with `TARGET_FAILED` when the target has too little room. The trees are read for it only when that may be so. */
async function checkRoom({ archive, options, target, walk, stop }: Job): Promise<void> {
  const room = roomAt(target);
  if (room === undefined || archive.descriptor.stats.bytes <= room) return;
  const directory = openExistingTarget(target);
  const survey = new SpaceSurvey(stop, options.inPlace === undefined, directory.fd);
  try {
    await walk(survey, directory);
  } finally {
    survey.close(directory);
  }
  assertRoom(target, survey.bytes, room);
}

/** What opening file contents takes, and no more. Rejects with `RIGHT_MISSING`. */
function contentKeys(access: RepositoryAccess): RunnerSetup['keys'] {
  const { repo, pkD, pkM } = access.keys;
  const secret = (name: 'psk' | 'skD' | 'idData'): Uint8Array => access.secret(name, 'open file contents');
  return { repo, pkD, pkM, psk: secret('psk'), skD: secret('skD'), idData: secret('idData') };
}
