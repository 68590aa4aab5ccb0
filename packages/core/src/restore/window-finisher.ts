import { constants } from 'node:fs';

import { makeNodeAt, makeSymlinkAt, statAt } from '../host/at-calls.ts';
import { encodeDevice } from '../host/file-nodes.ts';
import { decodeEntry, ENTRY_KIND, type EntryKind, type TreeEntry } from '../tree/entry.ts';
import type { ContentRestorer, RestoreContext } from './content-restorer.ts';
import type { EntryPlanner, WindowSink } from './entry-planner.ts';
import type { LinkMaker } from './link-maker.ts';
import type { MetadataReport } from './metadata-writer.ts';
import type { PendingEntry } from './pending-entry.ts';
import type { TargetDirectory } from './target-directory.ts';
import { targetError, targetFailure, type TargetFailure } from './target-failure.ts';
import type { Turns } from './turns.ts';
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
      this.finishDirectory(directory);
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
    const failure = this.linkMaker.link(file, site.directory, name);
    if (failure === undefined) reporter.restored(linkKey.kind);
    else if (failure.kind === 'target' && !failure.fatal && site.directory.failure === undefined) {
      reporter.problem('link', pending.path, failure.reason);
      return false;
    } else this.left(pending, failure);
    return true;
  }

  private async makeCopy(pending: PendingEntry): Promise<void> {
    const { site, encoded } = pending;
    const sink = new ImmediateSink(this.content);
    await this.planner.planFirst({ site, encoded, entry: decodeEntry(encoded) }, sink);
    await sink.flush();
    this.context.stop.check();
    for (const entry of sink.others) this.makeOther(entry);
  }

  private makeOther(pending: PendingEntry): void {
    const { handles, metadata, reporter, policy, links } = this.context;
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
    try {
      makeAt(dirFd, entry);
    } catch (error) {
      this.left(pending, targetFailure(error));
      return;
    }
    metadata.finishAt(dirFd, entry, this.reportFor(pending.path));
    reporter.restored(entry.kind);
    if (linkKey === undefined) return;
    const { device, inode } = statAt(dirFd, entry.name);
    links.made(linkKey, { path: site.directory.pathOf(entry.name), device, inode });
  }

  private finishDirectory(directory: TargetDirectory): void {
    const { handles, metadata, reporter } = this.context;
    const { path, encoded } = directory;
    if (directory.made === undefined) return;
    if (directory.made.byUs && encoded !== undefined) {
      const fd = handles.open(directory);
      if (typeof fd === 'number') {
        metadata.finish(fd, decodeEntry(encoded, directory.parent === undefined), this.reportFor(path));
        if (directory.parent !== undefined) reporter.restored(ENTRY_KIND.directory);
      } else reporter.problem('target', path, fd.reason);
    }
    handles.forget(directory);
  }

  private left({ path, linkKey }: PendingEntry, failure: TargetFailure): void {
    const { reporter, links, stop } = this.context;
    reporter.problem(failure.kind, path, failure.reason);
    if (linkKey !== undefined) links.forget(linkKey);
    if (failure.fatal) stop.stop(targetError(path, failure));
  }

  private reportFor(path: string): MetadataReport {
    const { reporter } = this.context;
    return {
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
