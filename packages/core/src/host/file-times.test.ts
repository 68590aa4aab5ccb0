import { closeSync, lstatSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fsPath } from './byte-path.ts';
import { setTimes } from './file-times.ts';

let directory = '';
let file = '';

const timesOf = (path: string) => lstatSync(fsPath(path), { bigint: true });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-times-'));
  file = join(directory, 'file');
  writeFileSync(file, 'x');
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

it.each([
  0n,
  1n,
  -1n,
  999_999_999n,
  1_000_000_000n,
  -1_000_000_000n,
  -1_500_000_000n,
  -1_500_000_000_123_456_789n,
  1_700_000_000_123_456_789n,
  // The year 2200.
  7_258_118_400_999_999_999n,
])('sets %i ns exactly', (mtimeNs) => {
  setTimes(file, { mtimeNs });
  expect(timesOf(file).mtimeNs).toBe(mtimeNs);
});

it('sets any time of 1902 to 2400 exactly', () => {
  const nanoseconds = fc.bigInt({ min: -2_145_916_800_000_000_000n, max: 13_569_465_600_000_000_000n });
  fc.assert(
    fc.property(nanoseconds, nanoseconds, (mtimeNs, atimeNs) => {
      setTimes(file, { mtimeNs, atimeNs });
      const found = timesOf(file);
      expect([found.mtimeNs, found.atimeNs]).toEqual([mtimeNs, atimeNs]);
    }),
  );
});

it('leaves the access time alone when it is not given', () => {
  setTimes(file, { mtimeNs: 1n, atimeNs: 42_000_000_007n });
  setTimes(file, { mtimeNs: 5n });
  expect(timesOf(file).atimeNs).toBe(42_000_000_007n);
});

it('acts on a link itself, also a dangling one whose name is not UTF-8', () => {
  const link = `${directory}/link\xff`;
  symlinkSync('/no/such', fsPath(link));
  setTimes(link, { mtimeNs: -7n });
  expect(timesOf(link).mtimeNs).toBe(-7n);
});

it('reaches the root of a held directory', () => {
  const fd = openSync(directory, 'r');
  try {
    setTimes(`/proc/self/fd/${fd}/.`, { mtimeNs: 1_234n });
  } finally {
    closeSync(fd);
  }
  expect(timesOf(directory).mtimeNs).toBe(1_234n);
});

it('throws like node:fs', () => {
  expect(() => setTimes('/no/such', { mtimeNs: 0n })).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'utimensat', path: '/no/such' }),
  );
});
