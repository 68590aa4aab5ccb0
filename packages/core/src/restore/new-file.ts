import { closeFd, FILE_CONSTANTS, openAt, statAt, statFd, unlinkAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { isSystemError } from './target-failure.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = FILE_CONSTANTS;

/** Makes a file that did not exist; nobody else can open it until its mode is set. Throws a system error. */
export function createFile(dirFd: number, name: ByteString): number {
  return openAt(dirFd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
}

/**
 * Closes a finished file. Network file systems tell only now that a write did not fit: the file is removed then, and the
 * system error thrown.
 */
export function closeFile(dirFd: number, name: ByteString, fd: number): void {
  try {
    closeFd(fd);
  } catch (error) {
    removeQuietly(() => unlinkAt(dirFd, name));
    throw error;
  }
}

/** Closes and removes a file that cannot be finished, unless something else has its name by now. */
export function discardFile(dirFd: number, name: ByteString, fd: number): void {
  const { device, inode } = statFd(fd);
  removeQuietly(() => closeFd(fd));
  removeQuietly(() => {
    const now = statAt(dirFd, name);
    if (now.device === device && now.inode === inode) unlinkAt(dirFd, name);
  });
}

/** Why the file failed is what gets reported, not that it was gone when it was to be removed. */
function removeQuietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
