import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { CairnError } from '../errors.ts';
import { bytesOf, displayName, fsPath } from './byte-path.ts';
import type { ByteString } from './byte-path.ts';

/** A path as C takes it: an ASCII string (the binding ends it with NUL), or bytes that end with NUL. */
export type CPath = string | Buffer;

/**
 * The calls of the C library that Node's `fs` lacks, each as its manual page (section 2) describes it. All are
 * synchronous; most return -1 on failure, with the reason in `errno()`, to be read before any other call.
 */
export interface Libc {
  llistxattr(path: CPath, list: Uint8Array, size: number): number;
  lgetxattr(path: CPath, name: CPath, value: Uint8Array, size: number): number;
  lsetxattr(path: CPath, name: CPath, value: Uint8Array, size: number, flags: number): number;
  lremovexattr(path: CPath, name: CPath): number;
  utimensat(dirfd: number, path: CPath, times: BigInt64Array, flags: number): number;
  lseek(fd: number, offset: number, whence: number): number | bigint;
  ioctl(fd: number, request: number, argument: Int32Array): number;
  mknod(path: CPath, mode: number, device: bigint): number;
  /** Sets how memory is allocated (mallopt(3)); 1 for success. Only in glibc. */
  readonly mallopt: ((parameter: number, value: number) => number) | undefined;
  /** Gives freed memory back to the system (malloc_trim(3)); `keep` bytes stay. Only in glibc. */
  readonly malloc_trim: ((keep: number) => number) | undefined;
  errno(): number;
}

/** "The current directory" as directory handle (linux/fcntl.h). */
export const AT_FDCWD = -100;

/** The machines whose kernel interface (64-bit `time_t`, generic ioctl numbers) this module was written for. */
const MACHINES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];

let loaded: Libc | undefined;

/**
 * The C library of this process. Loaded at first use, because loading costs about 15 ms of start-up.
 * Throws `HOST_UNSUPPORTED` when this is not 64-bit Linux or the native binding is missing.
 */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  if (process.platform !== 'linux' || !MACHINES.includes(process.arch)) {
    throw new CairnError('HOST_UNSUPPORTED', `file metadata is not supported on ${process.platform} ${process.arch}`, {
      hint: `Use Linux on one of: ${MACHINES.join(', ')}.`,
    });
  }
  try {
    return bind();
  } catch (cause) {
    throw new CairnError('HOST_UNSUPPORTED', 'the C library could not be reached through the package koffi', {
      hint: 'Install again with optional dependencies, so that the package for this machine is there.',
      cause,
    });
  }
}

function bind(): Libc {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  // null: the symbols of the process itself, so glibc and musl work alike.
  const library = koffi.load(null);
  return {
    llistxattr: library.func('int64_t llistxattr(const char *path, void *list, size_t size)'),
    lgetxattr: library.func('int64_t lgetxattr(const char *path, const char *name, void *value, size_t size)'),
    lsetxattr: library.func(
      'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    ),
    lremovexattr: library.func('int lremovexattr(const char *path, const char *name)'),
    utimensat: library.func('int utimensat(int dirfd, const char *path, const void *times, int flags)'),
    lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)'),
    ioctl: library.func('int ioctl(int fd, unsigned long request, void *argument)'),
    mknod: bindMknod(library),
    mallopt: bindOptional(library, 'int mallopt(int parameter, int value)'),
    malloc_trim: bindOptional(library, 'int malloc_trim(size_t keep)'),
    errno: () => koffi.errno(),
  };
}

type Library = ReturnType<(typeof import('koffi'))['load']>;

function bindOptional(library: Library, prototype: string): ReturnType<Library['func']> | undefined {
  try {
    return library.func(prototype);
  } catch (error) {
    if (error instanceof Error && error.message.includes('Cannot find function')) return undefined;
    throw error;
  }
}

/** glibc before 2.33 has `mknod` only as an inline call of `__xmknod`, version 0 on every machine of MACHINES. */
function bindMknod(library: Library): Libc['mknod'] {
  const mknod = bindOptional(library, 'int mknod(const char *path, uint32_t mode, uint64_t device)');
  if (mknod !== undefined) return mknod;
  const xmknod = library.func('int __xmknod(int version, const char *path, uint32_t mode, uint64_t *device)');
  return (path, mode, device) => xmknod(0, path, mode, [device]) as number;
}

/** A path for a call of `Libc`. Throws `EINVAL` for a NUL byte: the kernel would see another, shorter path. */
export function cPath(path: ByteString): CPath {
  if (path.includes('\0')) throw errnoError(constants.errno.EINVAL, 'path', path);
  const plain = fsPath(path);
  return typeof plain === 'string' ? plain : Buffer.concat([plain, NUL]);
}

const NUL = bytesOf('\0');

/** The shape of Node's system errors. `path` and `dest` are byte strings. */
export interface SystemError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  readonly path?: ByteString;
  readonly dest?: ByteString;
}

/** An error like those of `node:fs` for a C `errno` (positive). The message shows paths as `displayName` does. */
export function errnoError(errno: number, syscall: string, path?: ByteString, dest?: ByteString): SystemError {
  const [code, text] = systemErrors().get(errno) ?? [`E${errno}`, 'system error'];
  const places = [path, dest].filter((place) => place !== undefined).map((place) => `'${displayName(place)}'`);
  const message = `${code}: ${text}, ${[syscall, places.join(' -> ')].join(' ').trimEnd()}`;
  return Object.assign(new Error(message), {
    errno: -errno,
    code,
    syscall,
    ...(path === undefined ? {} : { path }),
    ...(dest === undefined ? {} : { dest }),
  });
}

let errorNames: ReadonlyMap<number, readonly [code: string, text: string]> | undefined;

/** Codes by errno: Node's names first, then those of the C library that Node itself does not report. */
function systemErrors(): ReadonlyMap<number, readonly [code: string, text: string]> {
  if (errorNames !== undefined) return errorNames;
  const names = new Map<number, readonly [string, string]>();
  for (const [code, errno] of Object.entries(constants.errno)) names.set(errno, [code, 'system error']);
  for (const [errno, [code, text]] of getSystemErrorMap()) names.set(-errno, [code, text]);
  errorNames = names;
  return names;
}
