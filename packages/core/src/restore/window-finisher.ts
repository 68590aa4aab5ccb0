import { constants } from 'node:fs';

import { makeNodeAt, makeSymlinkAt, statAt, statFd, unlinkAt } from '../host/at-calls.ts';
import { encodeDevice } from '../host/file-nodes.ts';
import { temporaryName } from '../host/temporary-name.ts';
import { decodeEntry, ENTRY_KIND, type EntryKind, type TreeEntry } from '../tree/entry.ts';
import type { ContentRestorer, RestoreContext } from './content-restorer.ts';
import type { EntryPlanner, WindowSink } from './entry-planner.ts';
import type { LinkMaker } from './link-maker.ts';
import type { InPlaceReport } from './in-place.ts';
import type { LinkedFile } from './link-table.ts';
import { putInPlace, removeQuietly } from './new-file.ts';
import type { PendingEntry } from './pending-entry.ts';
import type { TargetDirectory } from './target-directory.ts';
import { targetError, targetFailure, type TargetFailure } from './target-failure.ts';
import type { Turns } from '../flow/turns.ts';
import { Window } from './window.ts';

const NODE_TYPE: Partial<Record<EntryKind, number>> = {
  [ENTRY_KIND.fifo]: constants.S_IFIFO,
  [ENTRY_KIND.socket]: constants.S_IFSOCK,
  [ENTRY_KIND.character]: constants.S_IFCHR,
  [ENTRY_KIND.block]: constants.S_IFBLK,
};

/** Makes what comes after the contents of a window: special files, further names, and the metadata of directories. */
export class WindowFinisher {
  private readonly context: RestoreContext;
  private readonly content: ContentRestorer;
  private readonly planner: EntryPlanner;
  private readonly linkMaker: LinkMaker;
  private readonly turns: Turns;

  constructor(
    context: RestoreContext,
    content: ContentRestorer,
    planner: EntryPlanner,
    linkMaker: LinkMaker,
    turns: Turns,
  ) {
    this.context = context;
    this.content = content;
    this.planner = planner;
    this.linkMaker = linkMaker;
    this.turns = turns;
  }

  /** To be called for one window after the other, when the contents of each are written. */
  async finish(window: Window): Promise<void> {
    for (const entry of window.others) {
      this.makeOther(entry);
      await this.turn();
    }
    await this.makeLinks(window.links);
    for (const directory of window.left) {
      await this.finishDirectory(directory);
      await this.turn();
    }
    this.context.reporter.progress();
  }

  private async turn(): Promise<void> {
    await this.turns.yieldIfDue();
    this.context.stop.check();
  }

  /** A name whose first could not be made, or not be linked, is made as a file of its own; others of it may link to that. */
  private async makeLinks(links: readonly PendingEntry[]): Promise<void> {
    for (const entry of links) {
      if (!this.makeLink(entry)) await this.makeCopy(entry);
      await this.turn();
    }
  }

  /** False when an entry of its own must be made. */
  private makeLink(pending: PendingEntry): boolean {
    const { links, reporter } = this.context;
    const { linkKey, site, name } = pending;
    const file = linkKey === undefined ? undefined : links.find(linkKey);
    if (linkKey === undefined || file === undefined) return false;
    if (this.leaveLink(pending, file)) return true;
    const failure = this.linkMaker.link(file, site.directory, name);
    if (failure === undefined) reporter.restored(linkKey.kind);
    else if (failure.kind === 'target' && !failure.fatal && site.directory.failure === undefined) {
      reporter.problem('link', pending.path, failure.reason);
      return false;
    } else this.left(pending, failure);
    return true;
  }

  /** True when a restore in place leaves the name as it is. */
  private leaveLink(pending: PendingEntry, file: LinkedFile): boolean {
    const { handles, inPlace } = this.context;
    const dirFd = inPlace && handles.open(pending.site.directory);
    if (inPlace === undefined || typeof dirFd !== 'number') return false;
    try {
      const verdict = inPlace.link(dirFd, decodeEntry(pending.encoded), file, this.reportFor(pending.path));
      return verdict === 'leave';
    } catch (error) {
      this.left(pending, targetFailure(error));
      return true;
    }
  }

  private async makeCopy(pending: PendingEntry): Promise<void> {
    const { site, encoded } = pending;
    if (await this.leaveCopy(pending)) return;
    const sink = new ImmediateSink(this.content);
    await this.planner.planFirst({ site, encoded, entry: decodeEntry(encoded) }, sink);
    await sink.flush();
    this.context.stop.check();
    for (const entry of sink.others) this.makeOther(entry);
  }

  /** True when a restore in place leaves what has the name of a file that could not be linked. */
  private async leaveCopy(pending: PendingEntry): Promise<boolean> {
    const { handles, inPlace } = this.context;
    const entry = decodeEntry(pending.encoded);
    if (inPlace === undefined || entry.kind !== ENTRY_KIND.file) return false;
    const dirFd = handles.acquire(pending.site.directory);
    if (typeof dirFd !== 'number') return false;
    try {
      return (await inPlace.file(dirFd, entry, this.reportFor(pending.path))) !== 'make';
    } catch (error) {
      this.left(pending, targetFailure(error));
      return true;
    } finally {
      handles.release(pending.site.directory);
    }
  }

  private makeOther(pending: PendingEntry): void {
    const { handles, inPlace, reporter, policy, links } = this.context;
    const { site, linkKey } = pending;
    const entry = decodeEntry(pending.encoded);
    if (entry.device !== null && !policy.privileged) {
      reporter.notRestored('device');
      if (linkKey !== undefined) links.forget(linkKey);
      return;
    }
    const dirFd = handles.open(site.directory);
    if (typeof dirFd !== 'number') {
      this.left(pending, dirFd);
      return;
    }
    const report = this.reportFor(pending.path);
    let there: Pick<LinkedFile, 'device' | 'inode'> | undefined;
    try {
      const verdict = inPlace?.other(dirFd, entry, report) ?? 'make';
      if (verdict === 'leave') {
        if (linkKey !== undefined) links.forget(linkKey);
        return;
      }
      if (verdict !== 'make') there = verdict;
      else if (this.placeOther(dirFd, entry, report)) reporter.replaced(1);
    } catch (error) {
      this.left(pending, targetFailure(error));
      return;
    }
    if (there === undefined) reporter.restored(entry.kind);
    if (linkKey === undefined) return;
    const { device, inode } = there ?? statAt(dirFd, entry.name);
    links.made(linkKey, { path: site.directory.pathOf(entry.name), device, inode });
  }

  /** Makes it and gives it its name. True when something else had that. Throws a system error. */
  private placeOther(dirFd: number, entry: TreeEntry, report: InPlaceReport): boolean {
    const { metadata, policy } = this.context;
    const made = policy.placement === 'direct' ? entry : { ...entry, name: temporaryName() };
    makeAt(dirFd, made);
    metadata.finishAt(dirFd, made, report);
    try {
      return putInPlace(dirFd, made.name, entry.name, policy.placement);
    } catch (error) {
      removeQuietly(() => unlinkAt(dirFd, made.name));
      throw error;
    }
  }

  private async finishDirectory(directory: TargetDirectory): Promise<void> {
    const { handles, metadata, reporter } = this.context;
    const { path, encoded } = directory;
    if (directory.made === undefined) return;
    await this.removeExtra(directory);
    if (!directory.made.byUs) this.finishExisting(directory);
    if (directory.made.byUs && encoded !== undefined) {
      const fd = handles.open(directory);
      if (typeof fd === 'number') {
        metadata.finish(fd, decodeEntry(encoded, directory.parent === undefined), this.reportFor(path));
        if (directory.parent !== undefined) reporter.restored(ENTRY_KIND.directory);
      } else reporter.problem('target', path, fd.reason);
    }
    handles.forget(directory);
  }

  /** Removes what the archive does not have. */
  private async removeExtra(directory: TargetDirectory): Promise<void> {
    const { handles, remover } = this.context;
    const { extra = [], path } = directory;
    for (const name of extra) {
      const fd = handles.acquire(directory);
      if (typeof fd !== 'number') return;
      try {
        await remover?.remove(fd, path, name);
      } finally {
        handles.release(directory);
      }
    }
  }

  /** Gives a directory that was there the metadata of the archive. */
  private finishExisting(directory: TargetDirectory): void {
    const { handles, inPlace, existing, reporter } = this.context;
    const { path, encoded, made, wanted, matched, parent } = directory;
    if (inPlace === undefined || !wanted || parent === undefined || encoded === undefined || made === undefined) return;
    const entry = decodeEntry(encoded);
    const fd = handles.open(directory);
    if (typeof fd !== 'number') reporter.problem('target', path, fd.reason);
    else if (!inPlace.maySet(made, entry)) reporter.did('kept', path);
    else {
      if (!existing.isEqual(fd, statFd(fd), entry)) existing.set(fd, entry, this.reportFor(path));
      reporter.did(matched ? 'unchanged' : 'attributes', path);
    }
  }

  private left({ path, linkKey }: PendingEntry, failure: TargetFailure): void {
    const { reporter, links, stop } = this.context;
    reporter.problem(failure.kind, path, failure.reason);
    if (linkKey !== undefined) links.forget(linkKey);
    if (failure.fatal) stop.stop(targetError(path, failure));
  }

  private reportFor(path: string): InPlaceReport {
    const { reporter } = this.context;
    return {
      did: (action) => reporter.did(action, path),
      problem: (kind, reason) => reporter.problem(kind, path, reason),
      notRestored: (kind) => reporter.notRestored(kind),
    };
  }
}

function makeAt(dirFd: number, entry: TreeEntry): void {
  const { kind, name, target, device } = entry;
  const type = NODE_TYPE[kind];
  if (target !== null) makeSymlinkAt(target, dirFd, name);
  else if (type !== undefined) {
    const number = device === null ? 0n : encodeDevice({ major: device[0], minor: device[1] });
    makeNodeAt(dirFd, name, type | 0o600, number);
  }
}

/** Restores what is planned at once, instead of gathering it. */
class ImmediateSink implements WindowSink {
  window = new Window();
  private readonly content: ContentRestorer;
  readonly others: PendingEntry[] = [];

  constructor(content: ContentRestorer) {
    this.content = content;
  }

  advance(): Promise<void> | undefined {
    return this.window.full ? this.flush() : undefined;
  }

  async flush(): Promise<void> {
    const { window } = this;
    this.window = new Window();
    this.others.push(...window.others);
    const { done } = await this.content.begin(window);
    await done;
  }

  named(file: Parameters<WindowSink['named']>[0]): Promise<void> {
    return this.content.named(file);
  }
}
