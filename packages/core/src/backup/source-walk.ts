import { constants } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { CairnError } from '../errors.ts';
import { AT_FDCWD, closeFd, namesOfFd, statAt, type FileStatus } from '../host/at-calls.ts';
import type { UserTable } from '../host/users.ts';
import { LIMITS } from '../limits.ts';
import type { ContentSource } from '../ports/content-source.ts';
import type { Clock } from '../ports/environment.ts';
import { contentRecords, EMPTY_CONTENT, type ContentReference } from '../tree/content.ts';
import type { EncodedEntry } from '../tree/directory-reader.ts';
import { ENTRY_KIND, EntryEncoder, type EntryDetail, type TreeEntry } from '../tree/entry.ts';
import type { ContentIntake } from './content-intake.ts';
import { isContentDirectory, type ContentDirectory } from './content-plan.ts';
import type { Crew } from './crew.ts';
import { DirectoryBuilder, type TreeStorage, type WaitingEntries } from './directory-builder.ts';
import { EarlierTrees, type EarlierArchive, type EarlierDirectory } from './earlier-trees.ts';
import { EntryMaker, NO_DETAIL } from './entry-maker.ts';
import { FileIntake } from './file-intake.ts';
import { HardLinks } from './hard-links.ts';
import type { LookAhead } from './look-ahead.ts';
import { openSource } from './open-source.ts';
import type { Problems } from './problems.ts';
import { troubleOf } from './source-errors.ts';
import type { Visit } from './source-paths.ts';

/** The walk waits when so many entries wait for an earlier one, or so many directories are held open for their files. */
const WAITING_ENTRIES = 20_000;
const OPEN_DIRECTORIES = 256;
/** Milliseconds after which the walk lets messages in. */
const TURN_MS = 8;

/** What the selection decides about. */
export interface Candidate {
  /** Absolute, byte string. */
  readonly path: string;
  readonly status: FileStatus;
  /** An open descriptor of the directory that holds it, and that directory's device. */
  readonly parentFd: number;
  readonly parentDevice: number;
  /** An open descriptor of the candidate, when it is a directory. Throws a system error. */
  directoryFd(): number;
}

/** take; leave out; or take a directory with only these names of what is in it. */
export type Choice = 'take' | 'skip' | { readonly keep: readonly string[] };

export interface WalkSetup {
  readonly visit: Visit;
  /** What stands in the archive beside, and in the place of, what the sources have. */
  readonly contents: ContentDirectory | undefined;
  /** Called at the first content. */
  readonly contentIntake: (maker: EntryMaker) => ContentIntake;
  readonly choose: (candidate: Candidate) => Choice;
  readonly earlier: EarlierArchive | undefined;
  /** True when a chunk is in a pack; marks the pack as used. */
  readonly isStored: (id: Uint8Array) => boolean;
  readonly crew: Crew;
  readonly storage: TreeStorage;
  /** Called now and then, at times when packs of trees may be handed on. */
  readonly onTurn: () => Promise<void>;
  /** Runs before the walk through `earlier`; absent when nothing may run beside the walk. */
  readonly lookAhead: LookAhead | undefined;
  readonly problems: Problems;
  readonly users: UserTable;
  readonly clock: Clock;
}

/** Totals of a walk: what is in the archive, and what is still to be read. */
export interface WalkTotals {
  files: number;
  directories: number;
  others: number;
  unchangedFiles: number;
  bytes: number;
  /** Chunks of unchanged files, taken over unread. */
  unchangedChunks: number;
  excluded: number;
}

/** A directory that is being listed, or whose files are still being read. */
interface Frame {
  /** −1 for a directory that exists for contents only. */
  readonly fd: number;
  readonly path: string;
  readonly device: number;
  readonly visit: Visit;
  readonly contents: ContentDirectory | undefined;
  /** The names among them that only contents bring. */
  readonly added: ReadonlySet<string>;
  readonly names: readonly string[];
  next: number;
  readonly builder: DirectoryBuilder;
  readonly earlier: EarlierDirectory | undefined;
  /** Who needs the descriptor: the listing itself, and each file that is still to be read. */
  users: number;
}

/** A directory of the source on its way into the archive. */
interface FoundDirectory extends Pick<Frame, 'path' | 'visit' | 'contents'> {
  readonly name: string;
  readonly status: FileStatus;
}

const NO_NAMES: ReadonlySet<string> = new Set();
const NO_VISIT: Visit = new Map();

function namesBeyond(contents: ContentDirectory, listed: readonly string[]): ReadonlySet<string> {
  const known = new Set(listed);
  return new Set([...contents.keys()].filter((name) => !known.has(name)));
}

/**
 * Walks the sources in name order and builds the trees, handing file contents to the crew. Holds a descriptor of each
 * directory from the root to the current one, so nobody can lead it elsewhere by swapping a directory for a link.
 */
export class SourceWalk {
  readonly totals: WalkTotals = {
    files: 0,
    directories: 0,
    others: 0,
    unchangedFiles: 0,
    bytes: 0,
    unchangedChunks: 0,
    excluded: 0,
  };
  private readonly setup: WalkSetup;
  private readonly encoder = new EntryEncoder();
  private readonly maker: EntryMaker;
  private readonly earlier: EarlierTrees;
  private readonly intake: FileIntake;
  private contentIntake: ContentIntake | undefined;
  private readonly waiting: WaitingEntries = { count: 0 };
  private readonly stack: Frame[] = [];
  private readonly open = new Set<Frame>();
  private readonly finished: (() => void)[] = [];
  private filling = false;
  private inWork = 0;
  private failure: { readonly error: unknown } | undefined;
  private wake: () => void = () => undefined;
  private turnAt = 0;

  constructor(setup: WalkSetup) {
    const { crew, storage, problems, users } = setup;
    const hardLinks = new HardLinks();
    this.setup = setup;
    this.maker = new EntryMaker(users, hardLinks, problems);
    this.earlier = new EarlierTrees(setup.earlier, setup.isStored, storage.store);
    this.intake = new FileIntake({
      crew,
      store: storage.store,
      maker: this.maker,
      hardLinks,
      problems,
      follow: (work) => this.follow(work),
    });
  }

  /** Resolves with the entry of `/` when everything below it is stored. Rejects when the run cannot go on. */
  async run(signal?: AbortSignal): Promise<TreeEntry> {
    const onAbort = (): void => this.wake();
    signal?.addEventListener('abort', onAbort);
    let content: ContentReference | undefined;
    const status = statAt(AT_FDCWD, '/');
    const fd = openSource(AT_FDCWD, '/', constants.O_DIRECTORY);
    try {
      const detail = this.maker.directoryDetail(fd, '/');
      const { visit, contents } = this.setup;
      this.enter(
        { fd, path: '', device: status.device, visit, contents },
        this.earlier.root,
        (done) => (content = done),
      );
      await this.steps(signal);
      this.intake.submit();
      while (content === undefined || this.inWork > 0) await this.event(signal);
      return this.maker.entry('', status, { ...detail, content });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Closes what a walk that failed still holds. To be called when the crew has stopped. */
  async close(): Promise<void> {
    await this.contentIntake?.stop();
    await this.intake.settled();
    for (const frame of this.open) if (frame.fd !== -1) closeFd(frame.fd);
    this.open.clear();
  }

  private async steps(signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.setup;
    this.turnAt = clock.monotonicMs() + TURN_MS;
    for (let frame = this.stack.at(-1); frame !== undefined; frame = this.stack.at(-1)) {
      const name = frame.names[frame.next];
      if (name === undefined) {
        this.stack.pop();
        frame.builder.close();
        this.release(frame);
      } else {
        frame.next += 1;
        let earlier = frame.earlier?.find(name);
        while (earlier === 'more') {
          await this.setup.lookAhead?.advance();
          await frame.earlier?.load();
          earlier = frame.earlier?.find(name);
        }
        const pending = this.take(frame, name, earlier);
        if (pending !== undefined) await pending;
      }
      if (clock.monotonicMs() >= this.turnAt || this.full) await this.turn(signal);
    }
  }

  /** Lets messages in, and waits while there is enough work under way. */
  private async turn(signal: AbortSignal | undefined): Promise<void> {
    await nextTurn();
    this.checkStop(signal);
    await this.setup.onTurn();
    this.checkStop(signal);
    if (this.full) this.intake.submit();
    while (this.full && this.inWork > 0) await this.event(signal);
    this.turnAt = this.setup.clock.monotonicMs() + TURN_MS;
  }

  private get full(): boolean {
    return (
      this.intake.full ||
      this.waiting.count >= WAITING_ENTRIES ||
      this.open.size >= OPEN_DIRECTORIES + this.stack.length
    );
  }

  private async event(signal: AbortSignal | undefined): Promise<void> {
    this.checkStop(signal);
    await new Promise<void>((resolve) => (this.wake = resolve));
    this.checkStop(signal);
    await this.setup.onTurn();
    this.checkStop(signal);
  }

  private checkStop(signal: AbortSignal | undefined): void {
    if (this.failure !== undefined) throw this.failure.error;
    if (signal?.aborted === true) throw new CairnError('CANCELLED', 'the backup was stopped before it was complete');
  }

  /** Follows work that goes on beside the walk. */
  private follow(work: Promise<void>): void {
    this.inWork += 1;
    work
      .catch((error: unknown) => (this.failure ??= { error }))
      .finally(() => {
        this.inWork -= 1;
        this.wake();
      });
  }

  /** Lists a directory and puts it on the stack, which owns the descriptor from then on. Throws a system error. */
  private enter(
    place: Pick<Frame, 'fd' | 'path' | 'device' | 'visit' | 'contents'>,
    earlier: ContentReference | undefined,
    onDone: (content: ContentReference) => void,
  ): void {
    const { fd, path, visit, contents } = place;
    // What exists for contents only is nowhere to be looked at.
    if (fd !== -1) this.setup.lookAhead?.entered(path);
    const listed = visit === 'all' ? namesOfFd(fd) : [...visit.keys()].sort();
    const added = contents === undefined ? NO_NAMES : namesBeyond(contents, listed);
    const frame = {
      ...place,
      added,
      names: added.size === 0 ? listed : [...listed, ...added].sort(),
      next: 0,
      builder: new DirectoryBuilder(this.setup.storage, this.waiting, onDone),
      earlier: this.earlier.directory(earlier),
      users: 1,
    };
    this.stack.push(frame);
    this.open.add(frame);
  }

  private release(frame: Frame): void {
    frame.users -= 1;
    if (frame.users > 0) return;
    this.open.delete(frame);
    if (frame.fd !== -1) closeFd(frame.fd);
  }

  /** Takes one name. Returns a promise only where something must be awaited before the walk goes on. */
  private take(frame: Frame, name: string, earlier: EncodedEntry | undefined): Promise<void> | undefined {
    const path = `${frame.path}/${name}`;
    const content = frame.contents?.get(name);
    if (content !== undefined && !isContentDirectory(content)) {
      this.takeContent(frame, name, content);
      return undefined;
    }
    if (content !== undefined && frame.added.has(name)) {
      this.takeMadeUp(frame, name, path, content);
      return undefined;
    }
    return this.takeFound(frame, name, path, earlier, content);
  }

  /** Takes a name that the source has. @param contents what is to stand below it, whatever becomes of the rest. */
  private takeFound(
    frame: Frame,
    name: string,
    path: string,
    earlier: EncodedEntry | undefined,
    contents: ContentDirectory | undefined,
  ): Promise<void> | undefined {
    let opened: number | undefined;
    let entered = false;
    const directoryFd = (): number => (opened ??= openSource(frame.fd, name, constants.O_DIRECTORY));
    try {
      const status = statAt(frame.fd, name);
      const choice = this.choose(frame, path, status, directoryFd);
      if (choice === 'skip') {
        this.totals.excluded += 1;
        return undefined;
      }
      if (contents !== undefined && status.kind !== ENTRY_KIND.directory) {
        this.setup.problems.add('unsupported', path, 'it was left out, for a content is to be stored below it');
        return undefined;
      }
      if (!this.maker.canKeep(path, status)) return undefined;
      const planned = frame.visit === 'all' ? 'all' : (frame.visit.get(name) ?? 'all');
      if (status.kind !== ENTRY_KIND.directory && planned !== 'all') {
        this.setup.problems.add('missing-source', path, 'it is no directory, so the source below it does not exist');
        return undefined;
      }
      if (status.kind !== ENTRY_KIND.directory) return this.takeLeaf(frame, name, path, status, earlier);
      const visit = choice === 'take' ? planned : new Map(choice.keep.map((kept) => [kept, 'all'] as const));
      const directory = { name, path, status, visit, contents };
      entered = this.takeDirectory(frame, directory, directoryFd, earlier);
      if (entered) opened = undefined;
    } catch (error) {
      this.report(frame, path, error);
    } finally {
      if (opened !== undefined) closeFd(opened);
      if (contents !== undefined && !entered) this.takeMadeUp(frame, name, path, contents);
    }
    return undefined;
  }

  private choose(frame: Frame, path: string, status: FileStatus, directoryFd: () => number): Choice {
    if (frame.visit !== 'all') return 'take';
    try {
      return this.setup.choose({ path, status, parentFd: frame.fd, parentDevice: frame.device, directoryFd });
    } catch (error) {
      if (troubleOf(error) === undefined) throw error;
      // Taking it says what is wrong with it.
      return 'take';
    }
  }

  /** Takes a directory that exists for contents only. */
  private takeMadeUp(frame: Frame, name: string, path: string, contents: ContentDirectory): void {
    const slot = frame.builder.reserve();
    const status = this.contentsTaker().directoryStatus();
    this.totals.directories += 1;
    const place = { fd: -1, path, device: 0, visit: NO_VISIT, contents };
    this.enter(place, undefined, (content) => this.fillLater(frame, slot, name, status, { ...NO_DETAIL, content }));
  }

  private takeContent(frame: Frame, name: string, content: ContentSource): void {
    const slot = frame.builder.reserve();
    this.totals.files += 1;
    const onBytes = (bytes: number): void => {
      this.totals.bytes += bytes;
      this.wake();
    };
    const taking = this.contentsTaker().take(name, content, onBytes);
    this.follow(
      taking.then((entry) => {
        if (entry === undefined) this.totals.files -= 1;
        frame.builder.fill(slot, entry && this.encoder.encode(entry));
      }),
    );
  }

  private contentsTaker(): ContentIntake {
    this.contentIntake ??= this.setup.contentIntake(this.maker);
    return this.contentIntake;
  }

  /**
   * Takes a directory; true when the walk has entered it and owns its descriptor. One that cannot be opened or listed is
   * stored without content, and reported.
   */
  private takeDirectory(
    frame: Frame,
    { name, path, status, visit, contents }: FoundDirectory,
    directoryFd: () => number,
    earlier: EncodedEntry | undefined,
  ): boolean {
    const before = this.earlier.contentOf(earlier);
    const slot = frame.builder.reserve();
    let detail = NO_DETAIL;
    const finish = (content: ContentReference): void =>
      this.fillLater(frame, slot, name, status, { ...detail, content });
    this.totals.directories += 1;
    try {
      if (this.stack.length >= LIMITS.treeDepth) {
        this.setup.problems.add('unsupported', path, `directories are nested more than ${LIMITS.treeDepth} deep`);
        finish(EMPTY_CONTENT);
        return false;
      }
      const fd = directoryFd();
      detail = this.maker.directoryDetail(fd, path);
      this.enter({ fd, path, device: status.device, visit, contents }, before, finish);
      return true;
    } catch (error) {
      // Gone, or no directory any more: there is nothing to keep of it.
      if (troubleOf(error)?.kind === 'unreadable' && contents === undefined) {
        finish(EMPTY_CONTENT);
      } else {
        frame.builder.fill(slot, undefined);
        this.totals.directories -= 1;
      }
      throw error;
    }
  }

  /** Fills the place of a directory whose content is complete. */
  private fillLater(frame: Frame, slot: number, name: string, status: FileStatus, detail: EntryDetail): void {
    this.finished.push(() => frame.builder.fill(slot, this.encoder.encode(this.maker.entry(name, status, detail))));
    this.fillFinished();
  }

  /** A file may finish thousands of nested directories at once: each is filled into its parent here, none inside another. */
  private fillFinished(): void {
    if (this.filling) return;
    this.filling = true;
    try {
      for (let fill = this.finished.shift(); fill !== undefined; fill = this.finished.shift()) fill();
    } finally {
      this.filling = false;
    }
  }

  private takeLeaf(
    frame: Frame,
    name: string,
    path: string,
    status: FileStatus,
    earlier: EncodedEntry | undefined,
  ): Promise<void> | undefined {
    const unchanged = this.unchanged(name, status, earlier);
    if (status.kind !== ENTRY_KIND.file) {
      const entry = unchanged?.bytes ?? this.encoder.encode(this.maker.special(frame.fd, name, path, status));
      this.totals.others += 1;
      frame.builder.fill(frame.builder.reserve(), entry);
      return undefined;
    }
    this.totals.files += 1;
    this.totals.bytes += status.size;
    const content = this.earlier.contentOf(unchanged);
    if (unchanged === undefined || content === undefined) {
      this.read(frame, name, path, status);
      return undefined;
    }
    if (content.level === 0) {
      this.takeUnchanged(frame, name, path, status, unchanged.bytes, content, this.earlier.holds(content));
      return undefined;
    }
    const bytes = Buffer.from(unchanged.bytes);
    return this.earlier
      .holdsListed(content)
      .then((stored) => this.takeUnchanged(frame, name, path, status, bytes, content, stored));
  }

  /** The entry of something that did not change since the earlier run, as it is to stand in this archive. */
  private unchanged(name: string, status: FileStatus, earlier: EncodedEntry | undefined): EncodedEntry | undefined {
    if (earlier === undefined || !this.earlier.isTrusted(status)) return undefined;
    if (!this.encoder.hasStatus(earlier.bytes, this.maker.entry(name, status, NO_DETAIL))) return undefined;
    if (status.links <= 1) return earlier;
    // Each archive numbers the file systems in the order in which it meets them.
    const entry = this.earlier.decoded(earlier);
    return entry && { name, bytes: this.encoder.encode({ ...entry, link: this.maker.linkOf(status) }) };
  }

  /** Takes over the earlier entry of a file whose chunks are all still stored; reads the file otherwise. */
  private takeUnchanged(
    frame: Frame,
    name: string,
    path: string,
    status: FileStatus,
    bytes: Buffer,
    content: ContentReference,
    stored: boolean,
  ): void {
    if (!stored) {
      this.read(frame, name, path, status);
      return;
    }
    this.totals.unchangedFiles += 1;
    this.totals.unchangedChunks += contentRecords(content.records).length;
    frame.builder.fill(frame.builder.reserve(), bytes);
  }

  private read(frame: Frame, name: string, path: string, status: FileStatus): void {
    const slot = frame.builder.reserve();
    frame.users += 1;
    this.intake.add({
      directoryFd: frame.fd,
      name,
      path,
      status,
      done: (entry) => {
        if (entry === undefined) this.totals.files -= 1;
        this.totals.bytes += (entry?.size ?? 0) - status.size;
        frame.builder.fill(slot, entry === undefined ? undefined : this.encoder.encode(entry));
        this.release(frame);
      },
    });
  }

  /** An error met while taking a name: the file system's word about it is a problem, anything else stops the run. */
  private report(frame: Frame, path: string, error: unknown): void {
    const trouble = troubleOf(error);
    if (trouble === undefined) throw error;
    if (trouble.kind === 'vanished' && frame.visit !== 'all') {
      this.setup.problems.add('missing-source', path, 'there is no such file or directory');
    } else {
      this.intake.leaveOut(path, trouble);
    }
  }
}
