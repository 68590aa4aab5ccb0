import { CairnError, invariant } from '../errors.ts';
import { closeFd, FILE_CONSTANTS, makeDirectoryAt, openAt, statFd, unlinkAt } from '../host/at-calls.ts';
import { displayName } from '../host/byte-path.ts';
import type { TargetDirectory } from './target-directory.ts';
import { isSystemError, targetFailure, type TargetFailure } from './target-failure.ts';

/** Descriptors held when nobody pins more. With files being written this stays below the usual limit of 1,024. */
const HELD_DIRECTORIES = 384;

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = FILE_CONSTANTS;
const OPEN_DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/** What opening says of something that is no directory (open(2)). */
function isOther(error: unknown): boolean {
  return isSystemError(error) && (error.code === 'ENOTDIR' || error.code === 'ELOOP');
}

/** What a restore in place has to say about what is there already. */
export interface FoundHooks {
  /** True when what has the name of a directory, and is none, makes way for it. */
  mayReplace(parentFd: number, directory: TargetDirectory): boolean;
  /** A directory that was there before was opened for the first time. Throws a system error to leave it out. */
  found(directory: TargetDirectory): void;
}

/**
 * Makes directories of the target and holds descriptors of those used last. A directory is only ever reached from the
 * descriptor of the one above it, never through a link, and must be the very one it was when it was first opened: whoever
 * swaps directories meanwhile leads nothing elsewhere.
 */
export class DirectoryHandles {
  /** Least recently used first. */
  private readonly held = new Set<TargetDirectory>();
  private readonly mayExist: boolean;
  private readonly hooks: FoundHooks | undefined;

  /**
   * @param root the target, open; closed by `close`.
   * @param hooks for a restore in place.
   */
  constructor(root: TargetDirectory, mayExist: boolean, hooks?: FoundHooks) {
    invariant(root.fd !== -1, 'the target is open');
    this.mayExist = mayExist;
    this.hooks = hooks;
    root.pins = 1;
    this.held.add(root);
  }

  /** Its descriptor, made and opened if need be, which stays open until `release`; or why it cannot be had. */
  acquire(directory: TargetDirectory): number | TargetFailure {
    const fd = this.open(directory);
    if (typeof fd === 'number') directory.pins += 1;
    return fd;
  }

  release(directory: TargetDirectory): void {
    directory.pins -= 1;
  }

  /** The same, valid only until another directory is asked for. */
  open(directory: TargetDirectory): number | TargetFailure {
    if (directory.fd !== -1) {
      this.held.delete(directory);
      this.held.add(directory);
      return directory.fd;
    }
    const chain = [directory];
    for (let up = directory.parent; up !== undefined && up.fd === -1; up = up.parent) chain.push(up);
    for (let next = chain.pop(); next !== undefined; next = chain.pop()) {
      const failure = this.openNext(next);
      if (failure !== undefined) return failure;
    }
    return directory.fd;
  }

  /** Closes a directory that nothing more is to be done with. */
  forget(directory: TargetDirectory): void {
    if (directory.fd === -1 || directory.pins > 0) return;
    this.held.delete(directory);
    closeFd(directory.fd);
    directory.fd = -1;
  }

  close(): void {
    for (const directory of this.held) {
      closeFd(directory.fd);
      directory.fd = -1;
    }
    this.held.clear();
  }

  private openNext(directory: TargetDirectory): TargetFailure | undefined {
    if (directory.failure !== undefined) return directory.failure;
    const { parent } = directory;
    invariant(parent !== undefined && parent.fd !== -1, 'directories are opened from above');
    try {
      if (directory.made === undefined) this.make(directory, parent.fd);
      else this.reopen(directory, parent.fd);
    } catch (error) {
      directory.failure = targetFailure(error);
      return directory.failure;
    }
    this.held.add(directory);
    this.evict(directory);
    return undefined;
  }

  private make(directory: TargetDirectory, parentFd: number): void {
    let taken = this.makeUnlessTaken(directory, parentFd);
    try {
      directory.fd = openAt(parentFd, directory.name, OPEN_DIRECTORY);
    } catch (error) {
      // A link or a file has the name; to say that it cannot be opened as a directory would tell less.
      const mayReplace = isOther(error) && this.hooks?.mayReplace(parentFd, directory) === true;
      if (taken === undefined || !mayReplace) throw taken ?? error;
      unlinkAt(parentFd, directory.name);
      makeDirectoryAt(parentFd, directory.name, 0o700);
      taken = undefined;
      directory.fd = openAt(parentFd, directory.name, OPEN_DIRECTORY);
    }
    const { device, inode, mtimeNs } = statFd(directory.fd);
    directory.made = { device, inode, mtimeNs, byUs: taken === undefined };
    if (taken !== undefined) this.hooks?.found(directory);
  }

  /** Gives the error instead when the name is taken and may be. What has it shows when it is opened. */
  private makeUnlessTaken(directory: TargetDirectory, parentFd: number): Error | undefined {
    try {
      makeDirectoryAt(parentFd, directory.name, 0o700);
      return undefined;
    } catch (error) {
      if (!this.mayExist || !isSystemError(error) || error.code !== 'EEXIST') throw error;
      return error;
    }
  }

  private reopen(directory: TargetDirectory, parentFd: number): void {
    const fd = openAt(parentFd, directory.name, OPEN_DIRECTORY);
    const { device, inode } = statFd(fd);
    if (device !== directory.made?.device || inode !== directory.made.inode) {
      closeFd(fd);
      const what = `${displayName(directory.path)} was replaced in the target while it was being restored`;
      throw new CairnError('TARGET_FAILED', what, { hint: 'Restore again into a directory that nobody else changes.' });
    }
    directory.fd = fd;
  }

  private evict(keep: TargetDirectory): void {
    if (this.held.size <= HELD_DIRECTORIES) return;
    for (const directory of this.held) {
      if (directory.pins > 0 || directory === keep) continue;
      this.forget(directory);
      if (this.held.size <= HELD_DIRECTORIES) return;
    }
  }
}
