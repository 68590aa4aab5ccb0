import { setImmediate as nextTurn } from 'node:timers/promises';

import { statFd, truncateFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { DirectoryHandles } from './directory-handles.ts';
import { holeSteps, type Segment } from './file-content.ts';
import { linkKeyOf, type LinkedFile, type LinkKey } from './link-table.ts';
import type { MetadataReport, MetadataWriter } from './metadata-writer.ts';
import { createFile, discardFile, placeFile, type NewFile, type Placement } from './new-file.ts';
import type { Site } from './pending-entry.ts';
import type { RestoreProblemKind } from './options.ts';
import type { TargetDirectory } from './target-directory.ts';
import { targetFailure } from './target-failure.ts';

/** Why a file is left out. */
export interface FileFailure {
  readonly kind: RestoreProblemKind;
  readonly reason: string;
  readonly fatal: boolean;
}

/** What became of a file that is complete. */
export interface FinishedFile extends Omit<LinkedFile, 'path'> {
  /** It took the place of something else. */
  readonly replaced: boolean;
}

/**
 * A file of several chunks, which arrive in any order from several threads. It is opened for the first, and finished when the
 * walk has named all its chunks and each of them is written.
 */
export class LargeFile {
  readonly site: Site;
  readonly entry: TreeEntry;
  readonly linkKey: LinkKey | undefined;
  private readonly placement: Placement;
  failure: FileFailure | undefined;
  private made: NewFile | undefined;
  /** Parts that the repository cannot give, and why not. */
  readonly bad: Segment[] = [];
  badReason = '';
  /** Chunks named and not yet done with. */
  private waiting = 0;
  private allNamed = false;

  constructor(site: Site, entry: TreeEntry, placement: Placement) {
    this.site = site;
    this.entry = entry;
    this.placement = placement;
    this.linkKey = linkKeyOf(entry);
  }

  get name(): ByteString {
    return this.entry.name;
  }

  /** Archive path. */
  get path(): ByteString {
    return childPath(this.site.path, this.entry.name);
  }

  private get directory(): TargetDirectory {
    return this.site.directory;
  }

  expectChunk(): void {
    this.waiting += 1;
  }

  chunkDone(): void {
    this.waiting -= 1;
  }

  /** The walk has named every chunk, or gave the file up. */
  named(): void {
    this.allNamed = true;
  }

  get complete(): boolean {
    return this.allNamed && this.waiting === 0;
  }

  /** Gives the file up; it is removed once nobody writes to it any more. The first reason counts. */
  fail(failure: FileFailure): void {
    this.failure ??= failure;
  }

  /** Takes note of parts that the repository cannot give; the others are still wanted, to know which all of these are. */
  damaged(segments: readonly Segment[], reason: string): void {
    this.bad.push(...segments);
    this.badReason ||= reason;
  }

  /** Its descriptor, created at the first call; undefined when it has failed or fails now. */
  open(handles: DirectoryHandles, metadata: MetadataWriter): number | undefined {
    if (this.failure !== undefined) return undefined;
    if (this.made !== undefined) return this.made.fd;
    const dirFd = handles.acquire(this.directory);
    if (typeof dirFd !== 'number') {
      this.fail(dirFd);
      return undefined;
    }
    try {
      this.made = createFile(dirFd, this.entry.name, this.placement);
      metadata.begin(this.made.fd, this.entry);
      return this.made.fd;
    } catch (error) {
      this.fail(targetFailure(error));
      if (this.made === undefined) handles.release(this.directory);
      return undefined;
    }
  }

  /**
   * Sets what is left to set and closes it; resolves with what file it is. Undefined, with `failure` set and nothing left
   * behind, when that fails. Rejects when `signal` does; `discard` is the caller's then.
   */
  async finish(
    handles: DirectoryHandles,
    metadata: MetadataWriter,
    options: {
      readonly sparse: boolean;
      readonly withHoles: boolean;
      readonly signal: AbortSignal;
      readonly report: MetadataReport;
    },
  ): Promise<FinishedFile | undefined> {
    if (this.bad.length > 0 && !options.withHoles) {
      this.fail({ kind: 'damaged', reason: this.badReason, fatal: false });
    }
    this.open(handles, metadata);
    const { made } = this;
    if (made === undefined || this.failure !== undefined) {
      this.discard(handles);
      return undefined;
    }
    const { fd, dirFd } = made;
    try {
      // What is not written reads as zeros, also at the end.
      if (this.bad.length > 0) truncateFd(fd, this.entry.size);
      for (const step of holeSteps(fd, this.entry, options.sparse)) {
        step();
        if (!options.sparse) await nextTurn();
        options.signal.throwIfAborted();
      }
      metadata.finish(fd, this.entry, options.report);
      const { device, inode } = statFd(fd);
      this.made = undefined;
      handles.release(this.directory);
      const replaced = placeFile(made);
      metadata.afterPlacing(dirFd, this.entry, options.report);
      return { device, inode, replaced };
    } catch (error) {
      options.signal.throwIfAborted();
      this.fail(targetFailure(error));
      this.discard(handles);
      return undefined;
    }
  }

  /** Removes what there is of it. */
  discard(handles: DirectoryHandles): void {
    if (this.made === undefined) return;
    discardFile(this.made);
    this.made = undefined;
    handles.release(this.directory);
  }
}
