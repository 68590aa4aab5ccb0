import { AT_FDCWD, closeFd, openAt, statFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import type { Identity } from './extra-remover.ts';
import { isSystemError } from './target-failure.ts';

/** linux/fcntl.h: names a file without opening it. */
const O_PATH = 0o10000000;

/** What is at those paths, links followed; of what does not exist, nothing. Throws a system error for what cannot be reached. */
export function identitiesOf(paths: readonly ByteString[]): Identity[] {
  return paths.flatMap((path) => {
    let fd: number;
    try {
      fd = openAt(AT_FDCWD, path, O_PATH);
    } catch (error) {
      if (isSystemError(error) && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
      throw error;
    }
    try {
      const { device, inode } = statFd(fd);
      return [{ device, inode }];
    } finally {
      closeFd(fd);
    }
  });
}
