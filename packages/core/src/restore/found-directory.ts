import { namesOfFd, statAt, unlinkAt } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { isTemporaryName } from '../host/temporary-name.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import { removeQuietly } from './new-file.ts';

/**
 * The names in a directory of the target that was there before, without what a restore that was killed has left there. That is
 * removed unless `dryRun`. Throws a system error when the directory cannot be listed.
 */
export function namesFound(fd: number, dryRun: boolean): ByteString[] {
  return namesOfFd(fd).filter((name) => {
    if (!isTemporaryName(name)) return true;
    if (dryRun) return false;
    removeQuietly(() => {
      // A directory of such a name is somebody else's.
      if (statAt(fd, name).kind !== ENTRY_KIND.directory) unlinkAt(fd, name);
    });
    return false;
  });
}

/**
 * True when the archive has everything that its source had at `path`: it is a source, or below one. Directories on the way to a
 * source hold in the archive only what leads there.
 */
export function isComplete(sources: readonly ByteString[], path: ByteString): boolean {
  return sources.some((source) => source === '/' || path === source || path.startsWith(`${source}/`));
}
