import {
  closeFd,
  FILE_CONSTANTS,
  isMountRoot,
  namesOfFd,
  openAt,
  removeDirectoryAt,
  statAt,
  unlinkAt,
} from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { childPath } from '../tree/archive-path.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import type { Reporter } from './reporter.ts';
import { isSystemError } from './target-failure.ts';
import type { Turns } from '../flow/turns.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = FILE_CONSTANTS;

/** A file or directory by what it is, whatever name it goes by. */
export interface Identity {
  readonly device: number;
  readonly inode: bigint;
}

/**
 * Removes what the archive does not have. A link is removed, never followed; what is mounted somewhere below, and what is to be
 * spared, stays with the directories that lead to it.
 */
export class ExtraRemover {
  private readonly spared: readonly Identity[];
  private readonly reporter: Reporter;
  private readonly turns: Turns;
  private readonly dryRun: boolean;

  constructor(spared: readonly Identity[], reporter: Reporter, turns: Turns, dryRun: boolean) {
    this.spared = spared;
    this.reporter = reporter;
    this.turns = turns;
    this.dryRun = dryRun;
  }

  /** Removes a name of an open directory with all that is below it. True when nothing of it is left. */
  async remove(dirFd: number, directory: ByteString, name: ByteString): Promise<boolean> {
    const path = childPath(directory, name);
    await this.turns.yieldIfDue();
    try {
      const status = statAt(dirFd, name);
      if (this.spared.some((each) => each.device === status.device && each.inode === status.inode)) {
        this.reporter.problem('delete', path, 'it stays: Cairn needs it to restore');
        return false;
      }
      if (status.kind === ENTRY_KIND.directory) return await this.removeDirectory(dirFd, name, path);
      if (!this.dryRun) unlinkAt(dirFd, name);
    } catch (error) {
      return this.failed(path, error);
    }
    this.reporter.did('delete', path);
    return true;
  }

  private async removeDirectory(dirFd: number, name: ByteString, path: ByteString): Promise<boolean> {
    const fd = openAt(dirFd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    let empty = true;
    try {
      // A kernel that cannot tell (before 5.8) might have one mounted here.
      if (isMountRoot(fd) !== false) {
        this.reporter.problem('delete', path, 'it stays: a file system is mounted there');
        return false;
      }
      for (const below of namesOfFd(fd)) if (!(await this.remove(fd, path, below))) empty = false;
    } finally {
      closeFd(fd);
    }
    if (!empty) return false;
    if (!this.dryRun) removeDirectoryAt(dirFd, name);
    this.reporter.did('delete', path);
    return true;
  }

  private failed(path: ByteString, error: unknown): false {
    if (!isSystemError(error)) throw error;
    this.reporter.problem('delete', path, error.message);
    return false;
  }
}
