import { closeSync, constants as fsConstants, openSync } from 'node:fs';
import { constants } from 'node:os';
import type { ByteString } from './byte-path.ts';
import { fsPath } from './byte-path.ts';
import { errnoError, libc } from './libc.ts';

/** Inode flags (linux/fs.h, ioctl_iflags(2)) that a user sets with `chattr` and that mean something elsewhere. */
export const INODE_FLAG = {
  compress: 0x0000_0004,
  sync: 0x0000_0008,
  immutable: 0x0000_0010,
  appendOnly: 0x0000_0020,
  noDump: 0x0000_0040,
  noAtime: 0x0000_0080,
  noCompress: 0x0000_0400,
  journalData: 0x0000_4000,
  noTailMerge: 0x0000_8000,
  dirSync: 0x0001_0000,
  topDir: 0x0002_0000,
  noCopyOnWrite: 0x0080_0000,
} as const;

/**
 * All of `INODE_FLAG`: what is worth keeping. Left out: facts of one file system (extents, index, inline data,
 * verity, encryption), direct access (depends on the device), project inheritance (needs project ids) and case
 * folding (changes what names mean; only for an empty directory of a file system made for it).
 */
export const KEPT_INODE_FLAGS = Object.values(INODE_FLAG).reduce((all, flag) => all | flag, 0);

/** Flags that act on data written after them: to set while the file or directory is still empty. */
export const EARLY_INODE_FLAGS = INODE_FLAG.compress | INODE_FLAG.noCompress | INODE_FLAG.noCopyOnWrite;

/** Flags that forbid further changes (and need CAP_LINUX_IMMUTABLE): to set after everything else. */
export const FINAL_INODE_FLAGS = INODE_FLAG.immutable | INODE_FLAG.appendOnly;

/** `_IOR('f', 1, long)` and `_IOW('f', 2, long)` of linux/fs.h on 64-bit machines; the kernel moves 32 bits. */
const FS_IOC_GETFLAGS = 0x8008_6601;
const FS_IOC_SETFLAGS = 0x4008_6602;

/** Room for the `long` of the request's name, although only the first half is used. */
const scratch = new Int32Array(2);

/** What a file system without inode flags answers; EINVAL and ENOSYS come from old and from FUSE file systems. */
const NO_FLAGS: readonly number[] = [
  constants.errno.ENOTTY,
  constants.errno.ENOTSUP,
  constants.errno.ENOSYS,
  constants.errno.EINVAL,
];

/** What refuses one flag or another, for want of support or of privilege. */
const REFUSED: readonly number[] = [...NO_FLAGS, constants.errno.EPERM, constants.errno.EACCES];

/**
 * Those of `KEPT_INODE_FLAGS` that are set on an open regular file or directory; undefined when its file system has
 * no such flags. Throws a system error.
 */
export function getInodeFlags(fd: number): number | undefined {
  const all = readFlags(fd);
  return all === undefined ? undefined : all & KEPT_INODE_FLAGS;
}

/**
 * The same by path. Only for regular files and directories, which opening cannot disturb; a link is refused (ELOOP).
 * Throws a system error.
 */
export function getInodeFlagsOf(path: ByteString): number | undefined {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fsConstants;
  const fd = openSync(fsPath(path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    return getInodeFlags(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Makes the flags of an open regular file or directory equal to `flags` where `mask` has a bit, other flags untouched.
 * Returns the bits of `mask` that could not be brought to that state, 0 when all were: one flag that is unsupported or
 * not permitted does not keep the others from being set. Throws other system errors.
 */
export function setInodeFlags(fd: number, flags: number, mask: number = KEPT_INODE_FLAGS): number {
  const before = readFlags(fd);
  if (before === undefined) return flags & mask;
  const wanted = (before & ~mask) | (flags & mask);
  if (wanted === before) return 0;
  if (writeFlags(fd, wanted)) return differing(fd, wanted, mask);
  for (let rest = (wanted ^ before) & mask; rest !== 0; rest &= rest - 1) {
    const bit = rest & -rest;
    const now = readFlags(fd) ?? before;
    writeFlags(fd, (now & ~bit) | (wanted & bit));
  }
  return differing(fd, wanted, mask);
}

/** A file system may take a flag without an error and ignore it, so what counts is what can be read back. */
function differing(fd: number, wanted: number, mask: number): number {
  return ((readFlags(fd) ?? 0) ^ wanted) & mask;
}

function readFlags(fd: number): number | undefined {
  const c = libc();
  if (c.ioctl(fd, FS_IOC_GETFLAGS, scratch) === 0) return scratch[0];
  const errno = c.errno();
  if (NO_FLAGS.includes(errno)) return undefined;
  throw errnoError(errno, 'ioctl FS_IOC_GETFLAGS');
}

/** False when the kernel refuses the combination. */
function writeFlags(fd: number, flags: number): boolean {
  const c = libc();
  scratch[0] = flags;
  if (c.ioctl(fd, FS_IOC_SETFLAGS, scratch) === 0) return true;
  const errno = c.errno();
  if (REFUSED.includes(errno)) return false;
  throw errnoError(errno, 'ioctl FS_IOC_SETFLAGS');
}
