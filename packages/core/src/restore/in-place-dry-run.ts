import { closeFd, statFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import type { ChosenEntry, WalkVisitor } from './archive-walk.ts';
import { ExistingDirectories } from './existing-directories.ts';
import type { ExistingMetadata } from './existing-metadata.ts';
import type { ExtraRemover } from './extra-remover.ts';
import { namesFound } from './found-directory.ts';
import { statusOf, type InPlace, type InPlaceReport, type Verdict } from './in-place.ts';
import { linkKeyOf, LinkTable } from './link-table.ts';
import type { Reporter } from './reporter.ts';
import type { StopSwitch } from './stop-switch.ts';
import { TargetDirectory } from './target-directory.ts';
import { targetFailure } from './target-failure.ts';

export interface InPlaceDryRunSetup {
  readonly reporter: Reporter;
  readonly stop: StopSwitch;
  readonly inPlace: InPlace;
  readonly existing: ExistingMetadata;
  /** Set when what the archive does not have would be removed. It removes nothing itself. */
  readonly remover: ExtraRemover | undefined;
  readonly isComplete: (path: ByteString) => boolean;
  readonly privileged: boolean;
}

/** Says what a restore in place would do, and counts it. */
export class InPlaceDryRun implements WalkVisitor {
  private readonly setup: InPlaceDryRunSetup;
  private readonly directories = new ExistingDirectories();
  private readonly links = new LinkTable();
  private readonly entries = new Map<TargetDirectory, ChosenEntry>();
  private pending: Promise<void> | undefined;

  constructor(setup: InPlaceDryRunSetup) {
    this.setup = setup;
  }

  /** To be called with the target, open, before the walk. */
  begin(target: TargetDirectory, whole: boolean): void {
    target.wanted = whole;
    this.lookForExtra(target);
  }

  enter(chosen: ChosenEntry, path: ByteString, wanted: boolean): TargetDirectory {
    const { reporter, inPlace } = this.setup;
    const { site, entry } = chosen;
    const directory = new TargetDirectory(site.directory, entry.name, path, 0, undefined);
    directory.wanted = wanted;
    const fd = this.directories.enter(directory);
    if (!wanted) return directory;
    this.entries.set(directory, { ...chosen, encoded: Buffer.from(chosen.encoded) });
    if (fd !== -1) {
      this.lookForExtra(directory);
      return directory;
    }
    const above = site.directory.fd;
    const taken = above !== -1 && statusOf(above, entry.name) !== undefined;
    if (taken && !inPlace.mayReplace(above, entry)) {
      reporter.problem('exists', path, 'something else has the name of a directory');
    } else {
      reporter.did(taken ? 'replace' : 'create', path);
      if (taken) reporter.replaced(1);
      reporter.restored(ENTRY_KIND.directory);
    }
    return directory;
  }

  met(directory: TargetDirectory, name: ByteString): void {
    directory.extra?.delete(name);
  }

  async file(chosen: ChosenEntry): Promise<void> {
    await this.decide(chosen, async (dirFd, report) => await this.setup.inPlace.file(dirFd, chosen.entry, report));
  }

  other(chosen: ChosenEntry): void {
    if (chosen.entry.device !== null && !this.setup.privileged) {
      this.setup.reporter.notRestored('device');
      return;
    }
    this.pending = this.decide(chosen, (dirFd, report) => this.setup.inPlace.other(dirFd, chosen.entry, report));
  }

  async leave(directory: TargetDirectory): Promise<void> {
    const { remover, reporter, inPlace, existing } = this.setup;
    const chosen = this.entries.get(directory);
    this.entries.delete(directory);
    const { fd, path } = directory;
    if (fd !== -1) {
      for (const name of directory.extra ?? []) await remover?.remove(fd, path, name);
      if (chosen !== undefined) {
        const status = statFd(fd);
        if (!inPlace.maySet(status, chosen.entry)) reporter.did('kept', path);
        else reporter.did(existing.isEqual(fd, status, chosen.entry) ? 'unchanged' : 'attributes', path);
      }
    }
    this.directories.leave(directory);
    reporter.progress();
  }

  damaged(path: ByteString, reason: string, directory: TargetDirectory): void {
    directory.extra = undefined;
    this.setup.reporter.problem('damaged', path, reason);
  }

  check(): Promise<void> | undefined {
    this.setup.stop.check();
    const { pending } = this;
    this.pending = undefined;
    return pending;
  }

  /** Closes what a walk that failed has left open. */
  close(target: TargetDirectory): void {
    for (const { fd } of this.entries.keys()) if (fd !== -1) closeFd(fd);
    if (target.fd !== -1) closeFd(target.fd);
  }

  private lookForExtra(directory: TargetDirectory): void {
    const { remover, isComplete } = this.setup;
    if (directory.fd === -1 || remover === undefined || !directory.wanted || !isComplete(directory.path)) return;
    directory.extra = new Set(namesFound(directory.fd, true));
  }

  private async decide(
    { site, entry }: ChosenEntry,
    ask: (dirFd: number, report: InPlaceReport) => Answer | Promise<Answer>,
  ): Promise<void> {
    const { reporter, inPlace } = this.setup;
    const path = childPath(site.path, entry.name);
    let replaces = false;
    const report: InPlaceReport = {
      did: (action) => {
        reporter.did(action, path);
        if (action === 'replace') replaces = true;
      },
      problem: (kind, reason) => reporter.problem(kind, path, reason),
      notRestored: (kind) => reporter.notRestored(kind),
    };
    const dirFd = site.directory.fd;
    const key = linkKeyOf(entry);
    const first = key && this.links.find(key);
    const further = key !== undefined && this.links.has(key);
    let answer: Answer = 'make';
    try {
      if (dirFd === -1) report.did('create');
      else
        answer =
          first === undefined && !further
            ? await ask(dirFd, report)
            : inPlace.link(dirFd, entry, first ?? NO_FILE, report);
    } catch (error) {
      reporter.problem('target', path, targetFailure(error).reason);
      return;
    }
    if (replaces) reporter.replaced(1);
    if (answer === 'make') reporter.restored(entry.kind, further ? 0 : entry.size);
    if (key === undefined || answer === 'leave' || further) return;
    if (answer === 'make') this.links.begin(key);
    else this.links.made(key, { path: site.directory.pathOf(entry.name), ...answer });
  }
}

type Answer = Verdict | { readonly device: number; readonly inode: bigint };

/** What is still to be made is nothing that is there. */
const NO_FILE = { device: -1, inode: 0n };
