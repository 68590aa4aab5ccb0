import { closeSync, constants, openSync, readSync } from 'node:fs';
import { fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { findHoles } from '../host/file-holes.ts';
import type { Hole } from '../host/file-holes.ts';

/** Below this size every byte is read, so that the comparison does not depend on what the kernel says of holes. */
const TRUST_HOLES_BYTES = 128 * 1024 * 1024;
const BLOCK_BYTES = 256 * 1024;

const blockA = Buffer.allocUnsafeSlow(BLOCK_BYTES);
const blockB = Buffer.allocUnsafeSlow(BLOCK_BYTES);

/**
 * The offset of the first byte in which two regular files of the same `size` differ, or undefined. In large files,
 * ranges that are a hole in both are not read. Throws a system error, and an Error when a file ends early.
 */
export function firstDifference(pathA: ByteString, pathB: ByteString, size: number): number | undefined {
  const fdA = openRegular(pathA);
  try {
    const fdB = openRegular(pathB);
    try {
      return compareOpen(fdA, fdB, size);
    } finally {
      closeSync(fdB);
    }
  } finally {
    closeSync(fdA);
  }
}

function openRegular(path: ByteString): number {
  return openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

function compareOpen(fdA: number, fdB: number, size: number): number | undefined {
  const large = size >= TRUST_HOLES_BYTES;
  const holesA = large ? findHoles(fdA, size) : [];
  const holesB = large ? findHoles(fdB, size) : [];
  let position = 0;
  while (position < size) {
    const endOfBoth = Math.min(endOfHole(holesA, position), endOfHole(holesB, position));
    if (endOfBoth > position) {
      position = endOfBoth;
      continue;
    }
    const length = Math.min(BLOCK_BYTES, size - position);
    readExactly(fdA, blockA, length, position);
    readExactly(fdB, blockB, length, position);
    if (blockA.compare(blockB, 0, length, 0, length) !== 0) {
      return position + blockA.subarray(0, length).findIndex((byte, index) => byte !== blockB[index]);
    }
    position += length;
  }
  return undefined;
}

/** The end of the hole that `position` is in, else `position`. Drops holes that lie before it. */
function endOfHole(holes: Hole[], position: number): number {
  for (let hole = holes[0]; hole !== undefined; hole = holes[0]) {
    if (hole.offset > position) break;
    if (hole.offset + hole.length > position) return hole.offset + hole.length;
    holes.shift();
  }
  return position;
}

function readExactly(fd: number, block: Buffer, length: number, position: number): void {
  let filled = 0;
  while (filled < length) {
    const read = readSync(fd, block, filled, length - filled, position + filled);
    if (read === 0) throw new Error(`file ends at byte ${position + filled}, before its size`);
    filled += read;
  }
}
