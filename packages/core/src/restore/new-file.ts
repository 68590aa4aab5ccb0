import { closeFd, FILE_CONSTANTS, linkAt, openAt, renameAt, statAt, statFd, unlinkAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { temporaryName } from '../host/temporary-name.ts';
import { isSystemError } from './target-failure.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = FILE_CONSTANTS;

/**
 * How what is made gets its name. direct: it is made under it. link, rename: it is made under another name beside, and gets its
 * own when it is complete; a link fails when the name is taken, a rename takes it over in one step.
 */
export type Placement = 'direct' | 'link' | 'rename';

/** A file that is being made. */
export interface NewFile {
  readonly dirFd: number;
  readonly fd: number;
  /** The name that it has until it is placed. */
  readonly workName: ByteString;
  readonly name: ByteString;
  readonly placement: Placement;
}

/** Makes a file that did not exist; nobody else can open it until its mode is set. Throws a system error. */
export function createFile(dirFd: number, name: ByteString, placement: Placement): NewFile {
  const workName = placement === 'direct' ? name : temporaryName();
  const fd = openAt(dirFd, workName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  return { dirFd, fd, workName, name, placement };
}

/**
 * Closes a finished file and gives it its name. Network file systems tell only now that a write did not fit: the file is removed
 * then, and the system error thrown. True when something else had the name before.
 */
export function placeFile({ dirFd, fd, workName, name, placement }: NewFile): boolean {
  try {
    closeFd(fd);
    return putInPlace(dirFd, workName, name, placement);
  } catch (error) {
    removeQuietly(() => unlinkAt(dirFd, workName));
    throw error;
  }
}

/** Gives what was made as `workName` its name. True when something else had it. Throws a system error. */
export function putInPlace(dirFd: number, workName: ByteString, name: ByteString, placement: Placement): boolean {
  if (placement === 'direct') return false;
  if (placement === 'link') {
    linkAt(dirFd, workName, dirFd, name);
    unlinkAt(dirFd, workName);
    return false;
  }
  const taken = isTaken(dirFd, name);
  renameAt(dirFd, workName, dirFd, name);
  // Where both are names of one file, rename(2) does nothing and leaves both.
  if (taken) removeQuietly(() => unlinkAt(dirFd, workName));
  return taken;
}

/** Closes and removes a file that cannot be finished, unless something else has its name by now. */
export function discardFile({ dirFd, fd, workName }: NewFile): void {
  const { device, inode } = statFd(fd);
  removeQuietly(() => closeFd(fd));
  removeQuietly(() => {
    const now = statAt(dirFd, workName);
    if (now.device === device && now.inode === inode) unlinkAt(dirFd, workName);
  });
}

/** Removes what is in the way of something that failed: why it failed is what gets reported. */
export function removeQuietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}

function isTaken(dirFd: number, name: ByteString): boolean {
  try {
    statAt(dirFd, name);
    return true;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return false;
  }
}
