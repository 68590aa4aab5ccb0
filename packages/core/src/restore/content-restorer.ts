import { isCairnError } from '../errors.ts';
import type { Release } from '../host/memory.ts';
import type { IndexedPack } from '../index/segment.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { decodeEntry, ENTRY_KIND } from '../tree/entry.ts';
import type { ChunkRescue } from './chunk-rescue.ts';
import { SegmentCursor } from './file-content.ts';
import { isAbandoned, taskOf, tasksOf, type ChunkTask } from './chunk-task.ts';
import type { DirectoryHandles } from './directory-handles.ts';
import type { ExistingMetadata } from './existing-metadata.ts';
import type { ExtraRemover } from './extra-remover.ts';
import type { InPlace } from './in-place.ts';
import type { Lanes } from './lanes.ts';
import type { FileFailure, LargeFile } from './large-file.ts';
import type { LinkedFile, LinkTable } from './link-table.ts';
import type { MetadataReport, MetadataWriter, RestorePolicy } from './metadata-writer.ts';
import type { ChunkUse, SmallFile } from './pending-entry.ts';
import type { Reporter } from './reporter.ts';
import { planReads, type PackRead } from './read-plan.ts';
import { Slots } from './slots.ts';
import type { StopSwitch } from './stop-switch.ts';
import type { TargetDirectory } from './target-directory.ts';
import { targetError } from './target-failure.ts';
import { divideTasks, encodeUnit, type EncodedUnit } from './unit-encoder.ts';
import type { Window } from './window.ts';
import type { UnitResult } from './work-unit.ts';

/**
 * Reads of the store at once, each 4 MiB or one chunk, from asking until all of it is written. A store that is far away answers as
 * fast when more are under way.
 */
const READS_AT_ONCE = { near: 4, far: 16 } as const;

/** What the parts of one restore share. */
export interface RestoreContext {
  readonly access: RepositoryAccess;
  readonly policy: RestorePolicy;
  readonly handles: DirectoryHandles;
  readonly metadata: MetadataWriter;
  readonly existing: ExistingMetadata;
  /** Set for a restore in place. */
  readonly inPlace: InPlace | undefined;
  /** Set when what the archive does not have is to be removed. */
  readonly remover: ExtraRemover | undefined;
  readonly links: LinkTable;
  readonly lanes: Lanes;
  readonly rescue: ChunkRescue;
  readonly reporter: Reporter;
  readonly stop: StopSwitch;
  readonly release: Release;
}

/** Reads the contents of a window, each range of a pack once, and has them opened and written. */
export class ContentRestorer {
  private readonly context: RestoreContext;
  private readonly reads: Slots;
  private readonly units: Slots;
  private readonly openFiles = new Set<LargeFile>();

  constructor(context: RestoreContext) {
    this.context = context;
    this.reads = new Slots(context.access.store.localPath === undefined ? READS_AT_ONCE.far : READS_AT_ONCE.near);
    this.units = new Slots(context.lanes.width);
  }

  /**
   * Resolves when everything of the window has at least been asked for; `done` resolves when it is written. Neither rejects:
   * a failure stops the restore.
   */
  async begin(window: Window): Promise<{ readonly done: Promise<void> }> {
    const { access, stop, lanes } = this.context;
    const running: Promise<void>[] = [];
    const issue = async (): Promise<void> => {
      if (window.heavy) lanes.start();
      const index = await access.index();
      const { reads, unknown } = planReads(window.uses, index);
      const empty = window.empty.map((use) => taskOf(use));
      running.push(...divideTasks(empty).map((tasks) => stop.guard(this.runTasks(tasks, false))));
      for (const read of reads) {
        await this.reads.acquire();
        const work = this.restoreRead(read, index.packs).finally(() => this.reads.release());
        running.push(stop.guard(work));
      }
      for (const use of unknown) running.push(stop.guard(this.rescueTask(taskOf(use))));
    };
    await stop.guard(issue());
    const done = Promise.all(running).then(() => undefined);
    return { done };
  }

  /** The walk has named all chunks of a file, or gave it up. */
  async named(file: LargeFile): Promise<void> {
    file.named();
    await this.settle(file);
  }

  /** Removes files that are not complete. Only once nothing runs any more. */
  discardOpen(): void {
    for (const file of this.openFiles) file.discard(this.context.handles);
    this.openFiles.clear();
  }

  private async restoreRead(read: PackRead, packs: readonly IndexedPack[]): Promise<void> {
    const { stop } = this.context;
    stop.check();
    const pack = packs[read.pack];
    const wanted = read.uses.some((use) => !isAbandoned(use));
    const bytes = pack === undefined || !wanted ? undefined : await this.fetch(pack.name, read);
    const tasks = tasksOf(read, pack, bytes);
    if (bytes === undefined) {
      for (const task of tasks) await this.rescueTask(task);
      return;
    }
    const units = divideTasks(tasks);
    const whole = units.length === 1 ? bytes : undefined;
    await Promise.all(units.map((unit) => stop.guard(this.runTasks(unit, false, whole))));
    if (whole === undefined) this.context.release(bytes);
  }

  /** Undefined when the pack cannot give the range. */
  private async fetch(name: string, read: PackRead): Promise<Uint8Array | undefined> {
    const { access } = this.context;
    const range = { offset: read.offset, length: read.length };
    try {
      const bytes = await access.store.get({ kind: 'packs', name }, { range, signal: this.context.stop.signal });
      return bytes.length === read.length ? bytes : undefined;
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING') || isCairnError(error, 'CORRUPT')) return undefined;
      throw error;
    }
  }

  /** Runs tasks as one unit, then tries to rescue what could not be opened. */
  private async runTasks(tasks: readonly ChunkTask[], opened: boolean, whole?: Uint8Array): Promise<void> {
    await this.units.acquire();
    let damaged: readonly DamagedTask[];
    try {
      damaged = await this.runUnit(tasks, opened, whole);
    } finally {
      this.units.release();
    }
    for (const { task, reason } of damaged) {
      if (opened) await this.giveUp(task, reason);
      else await this.rescueTask(task);
    }
    this.context.reporter.progress();
  }

  private async runUnit(
    tasks: readonly ChunkTask[],
    opened: boolean,
    whole: Uint8Array | undefined,
  ): Promise<readonly DamagedTask[]> {
    this.context.stop.check();
    const pinned = new Map<TargetDirectory, number>();
    try {
      const ready: ChunkTask[] = [];
      for (const task of tasks) {
        const uses: ChunkUse[] = [];
        for (const use of task.uses) if (await this.prepare(use, pinned)) uses.push(use);
        if (uses.length > 0) ready.push(uses.length === task.uses.length ? task : { ...task, uses });
      }
      if (ready.length === 0) return [];
      const encoded = encodeUnit(ready, {
        opened,
        whole,
        directoryFd: (file) => pinned.get(file.site.directory) ?? -1,
        fileFd: (part) => this.openLarge(part.file) ?? -1,
      });
      return await this.take(encoded, await this.context.lanes.run(encoded.unit));
    } finally {
      for (const directory of pinned.keys()) this.context.handles.release(directory);
    }
  }

  /** Opens what the use is to be written to. False, and reported, when that cannot be had. */
  private async prepare({ file, part }: ChunkUse, pinned: Map<TargetDirectory, number>): Promise<boolean> {
    if (part !== undefined) {
      if (this.openLarge(part.file) !== undefined) return true;
      await this.chunkDone(part.file);
      return false;
    }
    if (file === undefined || pinned.has(file.site.directory)) return file !== undefined;
    const fd = this.context.handles.acquire(file.site.directory);
    if (typeof fd === 'number') pinned.set(file.site.directory, fd);
    else this.left(file, fd);
    return typeof fd === 'number';
  }

  private openLarge(file: LargeFile): number | undefined {
    const fd = file.open(this.context.handles, this.context.metadata);
    if (fd !== undefined) this.openFiles.add(file);
    return fd;
  }

  private async take(encoded: EncodedUnit, result: UnitResult): Promise<readonly DamagedTask[]> {
    const { reporter } = this.context;
    for (const { file, kind, reason } of result.problems) {
      reporter.problem(kind, (encoded.files[file] as SmallFile).path, reason);
    }
    for (const kind of result.notRestored) reporter.notRestored(kind);
    reporter.replaced(result.replaced);
    for (const { write, failure } of result.failedWrites) encoded.writes[write]?.file.fail(failure);
    const failures = new Map(result.failedFiles.map(({ file, failure }) => [file, failure]));
    const identities = new Map(result.identities.map((identity) => [identity.file, identity]));
    const reasons = new Map(result.damaged.map(({ chunk, reason }) => [chunk, reason]));
    const damaged: DamagedTask[] = [];
    let number = 0;
    for (const [chunk, task] of encoded.tasks.entries()) {
      const reason = reasons.get(chunk);
      if (reason !== undefined) damaged.push({ task, reason });
      for (const { file, part } of task.uses) {
        if (file !== undefined) {
          const failure = failures.get(number);
          if (failure !== undefined) this.left(file, failure);
          else if (reason === undefined) this.restored(file, file.size, identities.get(number));
          number += 1;
        } else if (part !== undefined && reason === undefined) await this.chunkDone(part.file);
      }
    }
    return damaged;
  }

  private async rescueTask(task: ChunkTask): Promise<void> {
    const { rescue, stop } = this.context;
    stop.check();
    const id = task.uses[0]?.id;
    const found =
      id === undefined || task.uses.every(isAbandoned)
        ? 'nobody needs it any more'
        : await rescue.chunk(new Uint8Array(id), { signal: stop.signal });
    if (typeof found === 'string') await this.giveUp(task, found);
    else await this.runTasks([{ ...task, bytes: found, session: undefined }], true);
  }

  private async giveUp({ uses }: ChunkTask, reason: string): Promise<void> {
    const { reporter, policy } = this.context;
    const failure = { kind: 'damaged', reason, fatal: false } as const;
    const holed: ChunkUse[] = [];
    for (const use of uses) {
      const { file, part, length } = use;
      if (file !== undefined) {
        reporter.bad(file.path, new SegmentCursor(decodeEntry(file.encoded)).take(length));
        if (!policy.withHoles) this.left(file, failure);
        else {
          reporter.problem('damaged', file.path, `${reason}; zeros are in the place of its content`);
          holed.push(use);
        }
      }
      if (part === undefined) continue;
      // A file that is left out for another reason lacks nothing in the repository.
      if (!isAbandoned(use)) part.file.damaged(part.segments, reason);
      await this.chunkDone(part.file);
    }
    const [first] = holed;
    if (first === undefined) return;
    await this.runTasks([{ uses: holed, session: undefined, bytes: new Uint8Array(first.length) }], true);
  }

  private async chunkDone(file: LargeFile): Promise<void> {
    file.chunkDone();
    await this.settle(file);
  }

  /** Finishes a file once there is nothing more to wait for. */
  private async settle(file: LargeFile): Promise<void> {
    if (!file.complete) return;
    const { handles, metadata, policy, reporter, stop } = this.context;
    const { sparse, withHoles } = policy;
    const options = { sparse, withHoles, signal: stop.signal, report: this.reportFor(file.path) };
    this.openFiles.add(file);
    const identity = await file.finish(handles, metadata, options);
    this.openFiles.delete(file);
    if (file.bad.length > 0) reporter.bad(file.path, file.bad);
    if (file.bad.length > 0 && identity !== undefined) {
      reporter.problem('damaged', file.path, `${file.badReason}; zeros are in the place of what is missing`);
    }
    if (identity?.replaced === true) reporter.replaced(1);
    if (identity !== undefined) this.restored(file, file.entry.size, identity);
    else if (file.failure !== undefined) this.left(file, file.failure);
  }

  private reportFor(path: string): MetadataReport {
    const { reporter } = this.context;
    return {
      problem: (kind, reason) => reporter.problem(kind, path, reason),
      notRestored: (kind) => reporter.notRestored(kind),
    };
  }

  private restored(file: MadeFile, size: number, identity: Omit<LinkedFile, 'path'> | undefined): void {
    const { reporter, links } = this.context;
    reporter.restored(ENTRY_KIND.file, size);
    if (file.linkKey === undefined || identity === undefined) return;
    const { device, inode } = identity;
    links.made(file.linkKey, { path: file.site.directory.pathOf(file.name), device, inode });
  }

  private left(file: MadeFile, failure: FileFailure): void {
    const { reporter, links, stop } = this.context;
    reporter.problem(failure.kind, file.path, failure.reason);
    if (file.linkKey !== undefined) links.forget(file.linkKey);
    if (failure.fatal) stop.stop(targetError(file.path, { ...failure, kind: 'target' }));
  }
}

/** What small and large files have in common. */
type MadeFile = Pick<SmallFile, 'site' | 'name' | 'path' | 'linkKey'>;

interface DamagedTask {
  readonly task: ChunkTask;
  readonly reason: string;
}
