import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import { findHoles } from './file-holes.ts';

const MiB = 1024 * 1024;
const BLOCK = 4096;
let directory = '';
let fd = -1;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-holes-'));
});

afterAll(() => {
  rmSync(directory, { recursive: true });
});

beforeEach(() => {
  fd = openSync(join(directory, 'file'), 'w+');
});

afterEach(() => {
  closeSync(fd);
});

it('finds none in an empty file and in a full one', () => {
  expect(findHoles(fd, 0)).toEqual([]);
  writeSync(fd, Buffer.alloc(MiB), 0, MiB, 0);
  expect(findHoles(fd, MiB)).toEqual([]);
});

it('finds the holes before, between and after the data', () => {
  ftruncateSync(fd, 64 * MiB);
  writeSync(fd, Buffer.alloc(MiB, 1), 0, MiB, 10 * MiB);
  writeSync(fd, 'x', 32 * MiB);
  expect(findHoles(fd, 64 * MiB)).toEqual([
    { offset: 0, length: 10 * MiB },
    { offset: 11 * MiB, length: 21 * MiB },
    { offset: 32 * MiB + BLOCK, length: 32 * MiB - BLOCK },
  ]);
});

it('handles a file that is one hole, also beyond 32 bits', () => {
  const size = 2 ** 40 + 5;
  ftruncateSync(fd, size);
  expect(findHoles(fd, size)).toEqual([{ offset: 0, length: size }]);
  writeSync(fd, 'x', 2 ** 39);
  expect(findHoles(fd, size)).toEqual([
    { offset: 0, length: 2 ** 39 },
    { offset: 2 ** 39 + BLOCK, length: 2 ** 39 + 5 - BLOCK },
  ]);
});

it('stops at the given size when the file has grown, and at the end when it has shrunk', () => {
  ftruncateSync(fd, 2 * MiB);
  expect(findHoles(fd, MiB)).toEqual([{ offset: 0, length: MiB }]);
  expect(findHoles(fd, 4 * MiB)).toEqual([{ offset: 0, length: 4 * MiB }]);
});

it('keeps the longest holes when there are too many, by offset', () => {
  ftruncateSync(fd, 400 * BLOCK);
  let offset = 0;
  const expected: { offset: number; length: number }[] = [];
  for (let blocks = 1; blocks <= 20; blocks++) {
    writeSync(fd, 'x', offset);
    if (blocks > 16) expected.push({ offset: offset + BLOCK, length: blocks * BLOCK });
    offset += (blocks + 1) * BLOCK;
  }
  ftruncateSync(fd, offset);
  expect(findHoles(fd, offset)).toHaveLength(20);
  expect(findHoles(fd, offset, 4)).toEqual(expected);
});

it('bounds its memory on a file of countless holes without losing a long one', () => {
  const pairs = 5000;
  for (let index = 0; index < pairs; index++) writeSync(fd, 'x', index * 2 * BLOCK);
  const size = pairs * 2 * BLOCK + MiB;
  ftruncateSync(fd, size);
  const holes = findHoles(fd, size, 10);
  expect(holes).toHaveLength(10);
  expect(holes.at(-1)).toEqual({ offset: (pairs * 2 - 1) * BLOCK, length: MiB + BLOCK });
});

it('throws when the descriptor is not one', () => {
  expect(() => findHoles(1_000_000, 10)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});
