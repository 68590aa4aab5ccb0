import type { ByteString } from './byte-path.ts';
import { AT_FDCWD, cPath, errnoError, libc } from './libc.ts';

/** Nanoseconds since 1970, negative before. */
export interface FileTimes {
  /** Left as it is when absent. */
  readonly atimeNs?: bigint;
  readonly mtimeNs: bigint;
}

/** linux/fcntl.h */
const AT_SYMLINK_NOFOLLOW = 0x100;
/** linux/stat.h: as nanoseconds, "leave this time alone". */
const UTIME_OMIT = (1n << 30n) - 2n;
const NS_PER_SECOND = 1_000_000_000n;

/** Two `struct timespec` of a 64-bit machine: access then modification, seconds then nanoseconds. */
const timespecs = new BigInt64Array(4);

/**
 * Sets the times of the entry itself (a link is not followed), exact to the nanosecond, which `fs.lutimes` is not. A
 * file system with a smaller range clamps without an error. The root of a held directory is `/proc/self/fd/N/.`.
 * Throws a system error.
 */
export function setTimes(path: ByteString, times: FileTimes): void {
  setTimespec(0, times.atimeNs);
  setTimespec(2, times.mtimeNs);
  const c = libc();
  if (c.utimensat(AT_FDCWD, cPath(path), timespecs, AT_SYMLINK_NOFOLLOW) < 0) {
    throw errnoError(c.errno(), 'utimensat', path);
  }
}

function setTimespec(index: number, ns: bigint | undefined): void {
  if (ns === undefined) {
    timespecs[index] = 0n;
    timespecs[index + 1] = UTIME_OMIT;
    return;
  }
  // The kernel wants 0 to 999,999,999 nanoseconds after the second, also before 1970: divide towards minus infinity.
  const remainder = ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND;
  timespecs[index] = (ns - remainder) / NS_PER_SECOND;
  timespecs[index + 1] = remainder;
}
