import { constants } from 'node:os';
import { invariant } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { errnoError, libc } from './libc.ts';

/** A range of a file that holds no data on disk and reads as zeros, bytes. */
export interface Hole {
  readonly offset: number;
  readonly length: number;
}

/** linux/fs.h */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * The holes of the first `size` bytes of an open regular file, by offset. At most `limit`: beyond that the longest are
 * kept, so a file made of nothing but tiny holes costs bounded memory. A file system that cannot tell gives none. A
 * file that changes meanwhile gives some list of disjoint holes. Moves the file offset: read with explicit positions.
 * Throws a system error. A caller that sees `blocks * 512 >= size` can skip the call.
 */
export function findHoles(fd: number, size: number, limit: number = LIMITS.holes): Hole[] {
  invariant(Number.isSafeInteger(size) && size >= 0, 'a file size must be a safe integer');
  let holes: Hole[] = [];
  let position = 0;
  while (position < size) {
    const data = seek(fd, position, SEEK_DATA, size);
    if (data === undefined) return [];
    if (data > position) {
      holes.push({ offset: position, length: data - position });
      if (holes.length >= 2 * limit + 1024) holes = longest(holes, limit);
    }
    if (data >= size) break;
    const hole = seek(fd, data, SEEK_HOLE, size);
    if (hole === undefined) return [];
    // A hole at the very data just found means the file changed between the calls; one byte on is safe and ends.
    position = hole > data ? hole : data + 1;
  }
  return longest(holes, limit);
}

/** The offset found, `size` at most; undefined when the file system does not know the question. */
function seek(fd: number, offset: number, whence: number, size: number): number | undefined {
  const c = libc();
  const found = c.lseek(fd, offset, whence);
  if (found >= 0) return Math.min(Number(found), size);
  const errno = c.errno();
  // ENXIO: nothing but hole up to the end, or the file has been cut meanwhile.
  if (errno === constants.errno.ENXIO) return size;
  if (errno === constants.errno.EINVAL || errno === constants.errno.ENOTSUP) return undefined;
  throw errnoError(errno, 'lseek');
}

function longest(holes: Hole[], limit: number): Hole[] {
  if (holes.length <= limit) return holes;
  return holes
    .sort((a, b) => b.length - a.length || a.offset - b.offset)
    .slice(0, limit)
    .sort((a, b) => a.offset - b.offset);
}
