import { randomBytes } from 'node:crypto';
import { open, rename, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '@cairn/core/server';

const PIECE_BYTES = 1024 * 1024;

/**
 * Space that is kept in a file, to be given up when the disk is full: then the log can still be written, so that deletion, which
 * begins with log entries, is always possible. Its bytes are random, because some file systems keep zeros in no space at all.
 */
export class Reserve {
  private readonly path: string;
  private readonly bytes: number;

  /** @param root of the repository: a reserve on another file system would be of no use. */
  constructor(root: string, bytes: number) {
    this.path = join(root, 'tmp', 'reserve');
    this.bytes = bytes;
  }

  /** Makes it, if it is not there and there is room for it and as much again. False when it is not there afterwards. */
  async fill(): Promise<boolean> {
    if (await this.exists()) return true;
    const { bavail, bsize } = await statfs(join(this.path, '..'));
    if (bavail * bsize < 2 * this.bytes) return false;
    const fresh = `${this.path}.new`;
    try {
      const file = await open(fresh, 'w', 0o600);
      try {
        for (let done = 0; done < this.bytes; done += PIECE_BYTES) {
          await file.write(randomBytes(Math.min(PIECE_BYTES, this.bytes - done)));
        }
      } finally {
        await file.close();
      }
    } catch (error) {
      await Promise.allSettled([unlink(fresh)]);
      if (systemErrorCode(error) === 'ENOSPC' || systemErrorCode(error) === 'EDQUOT') return false;
      throw error;
    }
    await rename(fresh, this.path);
    return true;
  }

  async exists(): Promise<boolean> {
    try {
      return (await stat(this.path)).size >= this.bytes;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Gives the space back to the disk; false when there was none. */
  async release(): Promise<boolean> {
    try {
      await unlink(this.path);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return false;
      throw error;
    }
  }
}
