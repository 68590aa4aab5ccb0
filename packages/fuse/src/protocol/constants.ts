/**
 * Numbers of the FUSE kernel interface, version 7. Source of all of them: `linux/fuse.h` of Linux 6.1, interface 7.38; numbers
 * once given never change.
 */

/** FUSE_KERNEL_VERSION. */
export const KERNEL_MAJOR = 7;

/** The newest interface that this program speaks; the kernel may speak a newer one and then uses this. */
export const KERNEL_MINOR = 31;

/** The oldest: 7.23 (Linux 3.15) has everything that is asked for here but page counts. */
export const LEAST_MINOR = 23;

/** `enum fuse_opcode`. */
export const OPCODE = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  readlink: 5,
  symlink: 6,
  mknod: 8,
  mkdir: 9,
  unlink: 10,
  rmdir: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  fsync: 20,
  setxattr: 21,
  getxattr: 22,
  listxattr: 23,
  removexattr: 24,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  fsyncdir: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  ioctl: 39,
  batchForget: 42,
  fallocate: 43,
  readdirplus: 44,
  rename2: 45,
  lseek: 46,
  copyFileRange: 47,
  tmpfile: 51,
} as const;

/** Requests that change something: a read-only file system refuses them. */
export const WRITING: ReadonlySet<number> = new Set([
  OPCODE.setattr,
  OPCODE.symlink,
  OPCODE.mknod,
  OPCODE.mkdir,
  OPCODE.unlink,
  OPCODE.rmdir,
  OPCODE.rename,
  OPCODE.link,
  OPCODE.write,
  OPCODE.setxattr,
  OPCODE.removexattr,
  OPCODE.create,
  OPCODE.fallocate,
  OPCODE.rename2,
  OPCODE.copyFileRange,
  OPCODE.tmpfile,
]);

/** INIT flags: what the kernel offers and what is taken of it. */
export const INIT_FLAG = {
  asyncRead: 1 << 0,
  readdirplus: 1 << 13,
  readdirplusAuto: 1 << 14,
  noOpenSupport: 1 << 17,
  parallelDirectoryOperations: 1 << 18,
  posixAcl: 1 << 20,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  noOpendirSupport: 1 << 24,
} as const;

/** FOPEN_*: flags of the answer to OPEN and OPENDIR. */
export const OPEN_FLAG = { keepCache: 1 << 1, cacheDirectory: 1 << 3 } as const;

/** FS_IOC_GETFLAGS of `linux/fs.h`, as 64-bit programs ask for it: _IOR('f', 1, long). */
export const IOCTL_GET_FLAGS = 0x80086601;

/** FUSE_MIN_READ_BUFFER: the kernel refuses a smaller buffer for requests. */
export const LEAST_REQUEST_BUFFER = 8192;

/** Bytes of `struct fuse_in_header` and `struct fuse_out_header`. */
export const IN_HEADER_BYTES = 40;
export const OUT_HEADER_BYTES = 16;
