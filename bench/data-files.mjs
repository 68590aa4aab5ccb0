// @ts-check
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { SeededStream } from './seed.mjs';
import { SystemStream } from './system-files.mjs';

const MiB = 1024 * 1024;
export const largeBytes = 1024 * MiB;
export const imageBytes = 1024 * MiB;
/** The one big file in the data set, relative to its live directory. */
export const bigFile = { large: 'large.bin', image: 'image.raw' };

/**
 * A file half incompressible, half system programs and texts, in alternating stretches.
 * @param {string} directory
 * @param {number} bytes
 */
export function makeLarge(directory, bytes) {
  writeStretches(path.join(directory, bigFile.large), bytes, 16 * MiB, 0, 'large', (index) =>
    index % 2 === 0 ? 'random' : 'system',
  );
}

/**
 * Like a disk of a virtual machine: half files, three eighths incompressible, one eighth written zeros.
 * @param {string} directory
 * @param {number} bytes
 */
export function makeImage(directory, bytes) {
  writeStretches(path.join(directory, bigFile.image), bytes, MiB, 0.5, 'image', (index) => {
    const place = index % 8;
    if (place === 7) return 'zeros';
    return place % 2 === 0 ? 'system' : 'random';
  });
}

/**
 * @param {string} file
 * @param {number} bytes
 * @param {number} largestStretch
 * @param {number} startAt where the system stream begins
 * @param {string} seed
 * @param {(index: number) => 'random' | 'system' | 'zeros'} kindOf
 */
function writeStretches(file, bytes, largestStretch, startAt, seed, kindOf) {
  mkdirSync(path.dirname(file), { recursive: true });
  // A small file still gets enough stretches to hold every kind in its share.
  const stretch = Math.max(4096, Math.min(largestStretch, Math.floor(bytes / 64)));
  const random = new SeededStream(seed);
  const system = new SystemStream(startAt);
  const fd = openSync(file, 'wx');
  try {
    for (let index = 0, at = 0; at < bytes; index += 1, at += stretch) {
      const count = Math.min(stretch, bytes - at);
      const kind = kindOf(index);
      if (kind === 'zeros') writeAll(fd, Buffer.alloc(count));
      else writeAll(fd, kind === 'random' ? random.bytes(count) : system.bytes(count));
    }
  } finally {
    closeSync(fd);
    system.close();
  }
}

/**
 * Writes every byte, at the file's own position unless one is given.
 * @param {number} fd
 * @param {Buffer} bytes
 * @param {number | null} [position]
 */
export function writeAll(fd, bytes, position = null) {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, position === null ? null : position + done);
  }
}
