import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import type { ChosenEntry, WalkVisitor } from './archive-walk.ts';
import type { ContentRestorer, RestoreContext } from './content-restorer.ts';
import type { EntryPlanner, WindowSink } from './entry-planner.ts';
import type { InPlace } from './in-place.ts';
import type { LargeFile } from './large-file.ts';
import { linkKeyOf } from './link-table.ts';
import { TargetDirectory } from './target-directory.ts';
import { targetError, targetFailure } from './target-failure.ts';
import type { WrittenFiles } from './verify.ts';
import { Window } from './window.ts';
import type { WindowFinisher } from './window-finisher.ts';

/**
 * Turns a walk into windows. While one window is planned the one before is read and written and the one before that gets its
 * links and directories: three at most are in memory.
 */
export class RestoreVisitor implements WalkVisitor, WindowSink {
  window = new Window();
  private readonly context: RestoreContext;
  private readonly content: ContentRestorer;
  private readonly planner: EntryPlanner;
  private readonly finisher: WindowFinisher;
  private readonly written: WrittenFiles;
  private order = 0;
  private fileNumber = 0;
  private begun: Promise<unknown> = Promise.resolve();
  private finished: Promise<void> = Promise.resolve();
  private finishedBefore: Promise<void> = Promise.resolve();

  /** @param written hears of each file that is to be written, by its number in the walk. */
  constructor(
    context: RestoreContext,
    content: ContentRestorer,
    planner: EntryPlanner,
    finisher: WindowFinisher,
    written: WrittenFiles,
  ) {
    this.written = written;
    this.context = context;
    this.content = content;
    this.planner = planner;
    this.finisher = finisher;
  }

  enter({ site, entry, encoded }: ChosenEntry, path: ByteString, wanted: boolean): TargetDirectory | undefined {
    const { handles, reporter, stop } = this.context;
    this.order += 1;
    // A copy: the chunk that the entry lies in is not to be kept as long as the directory.
    const directory = new TargetDirectory(site.directory, entry.name, path, this.order, Buffer.from(encoded));
    directory.wanted = wanted;
    if (!wanted) return directory;
    const fd = handles.open(directory);
    if (typeof fd === 'number') return directory;
    reporter.problem(fd.kind, path, fd.reason);
    if (fd.fatal) stop.stop(targetError(path, fd));
    return undefined;
  }

  met(directory: TargetDirectory, name: ByteString): void {
    directory.extra?.delete(name);
  }

  file(chosen: ChosenEntry): Promise<void> | undefined {
    const number = this.fileNumber++;
    const { inPlace } = this.context;
    if (this.planner.isFurtherName(chosen)) return this.plan(chosen);
    if (inPlace !== undefined) return this.fileInPlace(inPlace, chosen, number);
    this.written.add(number);
    return this.plan(chosen);
  }

  private async fileInPlace(inPlace: InPlace, chosen: ChosenEntry, number: number): Promise<void> {
    const { handles, links, reporter, stop } = this.context;
    const { site, entry } = chosen;
    const path = childPath(site.path, entry.name);
    const dirFd = handles.acquire(site.directory);
    if (typeof dirFd === 'number') {
      try {
        const verdict = await inPlace.file(dirFd, entry, {
          did: (action) => reporter.did(action, path),
          problem: (kind, reason) => reporter.problem(kind, path, reason),
          notRestored: (kind) => reporter.notRestored(kind),
        });
        if (verdict === 'leave') return;
        if (verdict !== 'make') {
          const key = linkKeyOf(entry);
          if (key !== undefined) links.made(key, { path: site.directory.pathOf(entry.name), ...verdict });
          return;
        }
      } catch (error) {
        const failure = targetFailure(error);
        reporter.problem(failure.kind, path, failure.reason);
        if (failure.fatal) stop.stop(targetError(path, failure));
        return;
      } finally {
        handles.release(site.directory);
      }
    }
    this.written.add(number);
    await this.plan(chosen);
  }

  private plan(chosen: ChosenEntry): Promise<void> | undefined {
    const planned = this.planner.plan(chosen, this);
    return planned === undefined ? this.advance() : planned.then(() => this.advance());
  }

  other(chosen: ChosenEntry): void {
    void this.planner.plan(chosen, this);
  }

  leave(directory: TargetDirectory): void {
    this.window.leave(directory);
  }

  damaged(path: ByteString, reason: string, directory: TargetDirectory): void {
    // What it had is not known: nothing in it may count as extra.
    directory.extra = undefined;
    this.context.reporter.problem('damaged', path, reason);
  }

  check(): void {
    this.context.stop.check();
  }

  advance(): Promise<void> | undefined {
    return this.window.full ? this.submit() : undefined;
  }

  named(file: LargeFile): Promise<void> {
    return this.content.named(file);
  }

  /** Resolves when the last window is finished too. Rejects with what stopped the restore. */
  async drain(): Promise<void> {
    await this.submit();
    await this.settled();
    this.check();
  }

  /** Resolves when nothing is under way any more, however it went. */
  async settled(): Promise<void> {
    await this.begun;
    await this.finished;
  }

  private async submit(): Promise<void> {
    const { window } = this;
    this.window = new Window();
    await this.begun;
    await this.finishedBefore;
    this.check();
    const begun = this.content.begin(window);
    const before = this.finished;
    this.begun = begun;
    this.finishedBefore = before;
    this.finished = this.context.stop.guard(this.finish(window, begun, before));
  }

  private async finish(
    window: Window,
    begun: ReturnType<ContentRestorer['begin']>,
    before: Promise<void>,
  ): Promise<void> {
    const { done } = await begun;
    await done;
    await before;
    this.check();
    await this.finisher.finish(window);
  }
}
