import { setImmediate as nextTurn } from 'node:timers/promises';

import { statFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { DirectoryHandles } from './directory-handles.ts';
import { holeSteps } from './file-content.ts';
import { linkKeyOf, type LinkedFile, type LinkKey } from './link-table.ts';
import type { MetadataReport, MetadataWriter } from './metadata-writer.ts';
import { closeFile, createFile, discardFile } from './new-file.ts';
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

/**
 * A file of several chunks, which arrive in any order from several threads. It is opened for the first, and finished when the
 * walk has named all its chunks and each of them is written.
 */
export class LargeFile {
  readonly site: Site;
  readonly entry: TreeEntry;
  readonly linkKey: LinkKey | undefined;
  failure: FileFailure | undefined;
  private fd = -1;
  /** Chunks named and not yet done with. */
  private waiting = 0;
  private allNamed = false;

  constructor(site: Site, entry: TreeEntry) {
    this.site = site;
    this.entry = entry;
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

  /** Its descriptor, created at the first call; undefined when it has failed or fails now. */
  open(handles: DirectoryHandles, metadata: MetadataWriter): number | undefined {
    if (this.failure !== undefined) return undefined;
    if (this.fd !== -1) return this.fd;
    const dirFd = handles.acquire(this.directory);
    if (typeof dirFd !== 'number') {
      this.fail(dirFd);
      return undefined;
    }
    try {
      this.fd = createFile(dirFd, this.entry.name);
      metadata.begin(this.fd, this.entry);
      return this.fd;
    } catch (error) {
      this.fail(targetFailure(error));
      if (this.fd === -1) handles.release(this.directory);
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
    options: { readonly sparse: boolean; readonly signal: AbortSignal; readonly report: MetadataReport },
  ): Promise<Omit<LinkedFile, 'path'> | undefined> {
    const fd = this.open(handles, metadata);
    if (fd === undefined) {
      this.discard(handles);
      return undefined;
    }
    try {
      for (const step of holeSteps(fd, this.entry, options.sparse)) {
        step();
        if (!options.sparse) await nextTurn();
        options.signal.throwIfAborted();
      }
      metadata.finish(fd, this.entry, options.report);
      const { device, inode } = statFd(fd);
      this.fd = -1;
      handles.release(this.directory);
      closeFile(this.directory.fd, this.entry.name, fd);
      return { device, inode };
    } catch (error) {
      options.signal.throwIfAborted();
      this.fail(targetFailure(error));
      this.discard(handles);
      return undefined;
    }
  }

  /** Removes what there is of it. */
  discard(handles: DirectoryHandles): void {
    if (this.fd === -1) return;
    discardFile(this.directory.fd, this.entry.name, this.fd);
    this.fd = -1;
    handles.release(this.directory);
  }
}
