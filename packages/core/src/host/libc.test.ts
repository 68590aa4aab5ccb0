import { lstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { cPath, errnoError, libc } from './libc.ts';

// First in this file: the modules of one process are loaded once.
it('loads the native binding at the first call, not at import', () => {
  const loadedFiles = createRequire(import.meta.url).cache;
  const isLoaded = () => Object.keys(loadedFiles).some((file) => file.includes('/koffi/'));
  expect(isLoaded()).toBe(false);
  expect(libc()).toBe(libc());
  expect(isLoaded()).toBe(true);
});

it('makes errors of the same shape as node:fs', () => {
  let fromNode: unknown;
  try {
    lstatSync('/no/such');
  } catch (error) {
    fromNode = error;
  }
  const own = errnoError(constants.errno.ENOENT, 'lstat', '/no/such');
  expect(own).toBeInstanceOf(Error);
  expect(own.message).toBe((fromNode as Error).message);
  expect({ ...own }).toEqual({ ...(fromNode as Error) });
});

it('names errors that Node itself does not report, and numbers that nobody knows', () => {
  expect(errnoError(constants.errno.ENODATA, 'lgetxattr').code).toBe('ENODATA');
  expect(errnoError(constants.errno.EOPNOTSUPP, 'x').code).toBe('ENOTSUP');
  expect(errnoError(4000, 'x').code).toBe('E4000');
});

it('shows paths in one safe line and keeps their bytes', () => {
  const error = errnoError(constants.errno.EEXIST, 'renameat2', '/a\n', '/b\xff');
  expect(error.message).toBe(`EEXIST: file already exists, renameat2 '/a\\x0a' -> '/b\\xff'`);
  expect([error.path, error.dest]).toEqual(['/a\n', '/b\xff']);
});

it('refuses a NUL byte, which would cut the path', () => {
  expect(() => cPath('/etc/passwd\0.txt')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(cPath('/\xff')).toEqual(Buffer.from([0x2f, 0xff, 0]));
});

it('gives the errno of the failed call', () => {
  const c = libc();
  expect(c.lseek(-1, 0, 0)).toBe(-1);
  expect(c.errno()).toBe(constants.errno.EBADF);
});
