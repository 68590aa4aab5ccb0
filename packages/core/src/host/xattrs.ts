import { constants } from 'node:os';
import type { ByteString } from './byte-path.ts';
import { cPath, errnoError, libc } from './libc.ts';

/** One extended attribute. POSIX ACLs are `system.posix_acl_access` and `system.posix_acl_default`. */
export interface Xattr {
  readonly name: ByteString;
  readonly value: Buffer;
}

/** XATTR_LIST_MAX and XATTR_SIZE_MAX (linux/limits.h): the kernel gives no longer list and no longer value. */
const XATTR_MAX_BYTES = 65_536;

/** Shared by all calls, which are synchronous: the list of a hundred thousand files costs no allocation. */
const scratch = Buffer.allocUnsafeSlow(XATTR_MAX_BYTES);

const NO_NAMES: readonly ByteString[] = Object.freeze([]);

/**
 * Names of the extended attributes of the entry itself (a link is not followed), in byte order. A file system that
 * has none at all (ENOTSUP) gives an empty list. Throws a system error otherwise. About 1 µs when there are none.
 */
export function listXattrs(path: ByteString): readonly ByteString[] {
  const c = libc();
  const length = c.llistxattr(cPath(path), scratch, XATTR_MAX_BYTES);
  if (length === 0) return NO_NAMES;
  if (length < 0) {
    const errno = c.errno();
    if (errno === constants.errno.ENOTSUP) return NO_NAMES;
    throw errnoError(errno, 'llistxattr', path);
  }
  // Each name ends with NUL: the part after the last one is empty.
  return scratch
    .toString('latin1', 0, length - 1)
    .split('\0')
    .sort();
}

/** One value, or undefined when there is no such attribute (ENODATA). Throws a system error otherwise. */
export function getXattr(path: ByteString, name: ByteString): Buffer | undefined {
  const c = libc();
  const length = c.lgetxattr(cPath(path), cPath(name), scratch, XATTR_MAX_BYTES);
  if (length >= 0) return Buffer.from(scratch.subarray(0, length));
  const errno = c.errno();
  if (errno === constants.errno.ENODATA) return undefined;
  throw errnoError(errno, 'lgetxattr', path);
}

/** All attributes in byte order of their names, leaving out one that vanishes between the two calls. */
export function readXattrs(path: ByteString): Xattr[] {
  const xattrs: Xattr[] = [];
  for (const name of listXattrs(path)) {
    const value = getXattr(path, name);
    if (value !== undefined) xattrs.push({ name, value });
  }
  return xattrs;
}

/** Creates or replaces an attribute of the entry itself. Throws a system error. */
export function setXattr(path: ByteString, name: ByteString, value: Uint8Array): void {
  const c = libc();
  if (c.lsetxattr(cPath(path), cPath(name), value, value.length, 0) < 0) {
    throw errnoError(c.errno(), 'lsetxattr', path);
  }
}

/** Removes an attribute of the entry itself. Throws a system error: ENODATA when it is not there. */
export function removeXattr(path: ByteString, name: ByteString): void {
  const c = libc();
  if (c.lremovexattr(cPath(path), cPath(name)) < 0) throw errnoError(c.errno(), 'lremovexattr', path);
}
