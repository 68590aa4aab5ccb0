import { closeFd } from '../host/at-calls.ts';
import { openExistingDirectory } from './in-place.ts';
import { isSystemError } from './target-failure.ts';
import type { TargetDirectory } from './target-directory.ts';

/** Looks at the target as it is, for walks that change nothing: each directory is open from when it is entered until it is left. */
export class ExistingDirectories {
  /** Opens a directory if it is there and the one above it is. @returns its descriptor, −1 when there is none. */
  enter(directory: TargetDirectory): number {
    const above = directory.parent?.fd ?? -1;
    if (above === -1) return -1;
    try {
      directory.fd = openExistingDirectory(above, directory.name) ?? -1;
    } catch (error) {
      // Whoever restores into it is told why it cannot be opened.
      if (!isSystemError(error)) throw error;
    }
    return directory.fd;
  }

  leave(directory: TargetDirectory): void {
    if (directory.fd === -1 || directory.parent === undefined) return;
    closeFd(directory.fd);
    directory.fd = -1;
  }
}
