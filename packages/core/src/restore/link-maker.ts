import { closeFd, FILE_CONSTANTS, linkAt, openAt, statAt, unlinkAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { temporaryName } from '../host/temporary-name.ts';
import type { DirectoryHandles } from './directory-handles.ts';
import type { LinkedFile } from './link-table.ts';
import { putInPlace, removeQuietly, type Placement } from './new-file.ts';
import type { TargetDirectory } from './target-directory.ts';
import { targetFailure, type TargetFailure } from './target-failure.ts';

const { O_DIRECTORY, O_NOFOLLOW } = FILE_CONSTANTS;
/** linux/fcntl.h: needs no right to read the directory, which may have its final mode already. */
const O_PATH = 0o10000000;

/**
 * Gives files that this restore made further names. The first name is reached from the target down, never through a link, and
 * must still be the very file that was made: text from the archive alone leads nowhere.
 */
export class LinkMaker implements Disposable {
  private readonly target: TargetDirectory;
  private readonly handles: DirectoryHandles;
  private readonly placement: Placement;
  private readonly onReplaced: () => void;
  /** The directory of the first name used last: names of one file tend to come in directories that match. */
  private parent: { readonly path: ByteString; readonly fd: number } | undefined;

  /** @param onReplaced called when a name was taken over from something else. */
  constructor(target: TargetDirectory, handles: DirectoryHandles, placement: Placement, onReplaced: () => void) {
    this.target = target;
    this.handles = handles;
    this.placement = placement;
    this.onReplaced = onReplaced;
  }

  /** Undefined when the name is made; otherwise why not. A failure of kind `target` means: a copy may do. */
  link(file: LinkedFile, directory: TargetDirectory, name: ByteString): TargetFailure | undefined {
    const dirFd = this.handles.acquire(directory);
    if (typeof dirFd !== 'number') return dirFd;
    try {
      const cut = file.path.lastIndexOf('/');
      const from = this.openParent(file.path.slice(0, Math.max(0, cut)));
      const firstName = file.path.slice(cut + 1);
      if (!isFile(from, firstName, file)) return REPLACED;
      const workName = this.placement === 'direct' ? name : temporaryName();
      linkAt(from, firstName, dirFd, workName);
      if (!isFile(dirFd, workName, file)) {
        unlinkAt(dirFd, workName);
        return REPLACED;
      }
      return this.place(dirFd, workName, name);
    } catch (error) {
      return targetFailure(error);
    } finally {
      this.handles.release(directory);
    }
  }

  /** Undefined: it has its name. */
  private place(dirFd: number, workName: ByteString, name: ByteString): undefined {
    try {
      if (putInPlace(dirFd, workName, name, this.placement)) this.onReplaced();
    } catch (error) {
      removeQuietly(() => unlinkAt(dirFd, workName));
      throw error;
    }
  }

  [Symbol.dispose](): void {
    if (this.parent !== undefined) closeFd(this.parent.fd);
    this.parent = undefined;
  }

  private openParent(path: ByteString): number {
    if (this.parent?.path === path) return this.parent.fd;
    this[Symbol.dispose]();
    let fd = openAt(this.target.fd, '.', O_PATH | O_DIRECTORY | O_NOFOLLOW);
    for (const name of path === '' ? [] : path.split('/')) {
      const above = fd;
      try {
        fd = openAt(above, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
      } finally {
        closeFd(above);
      }
    }
    this.parent = { path, fd };
    return fd;
  }
}

const REPLACED: TargetFailure = {
  kind: 'target',
  reason: 'the file that it is a further name of was replaced in the target',
  fatal: false,
};

function isFile(dirFd: number, name: ByteString, { device, inode }: LinkedFile): boolean {
  const status = statAt(dirFd, name);
  return status.device === device && status.inode === inode;
}
