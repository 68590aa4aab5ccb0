// @ts-check
import { closeSync, openSync, readSync, readdirSync } from 'node:fs';
import path from 'node:path';

const systemRoot = '/usr';
// Already compressed: these would not be the compressible half.
const compressed = /\.(?:gz|xz|bz2|zst|zip|jar|whl|png|jpe?g|gif|webp|woff2?|mp3|ogg|deb|tgz|pyz|gresource)$/i;
const readBytes = 1024 * 1024;

/**
 * Regular files below a directory, in byte order of their paths.
 * @param {string} directory
 * @returns {string[]}
 */
export function filesBelow(directory) {
  /** @type {string[]} */
  const found = [];
  const waiting = [directory];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const entry of readdirSync(next, { withFileTypes: true })) {
      const full = path.join(next, entry.name);
      if (entry.isDirectory()) waiting.push(full);
      else if (entry.isFile()) found.push(full);
    }
  }
  return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The system's own programs and texts as one long stream. Every pass over them is altered, so that none repeats. */
export class SystemStream {
  /** @param {number} startAt where in the file list to begin, from 0 to 1 */
  constructor(startAt) {
    this.files = filesBelow(systemRoot).filter((file) => !compressed.test(file));
    if (this.files.length === 0) throw new Error(`no readable files below ${systemRoot}`);
    this.next = Math.floor(startAt * this.files.length);
    this.mask = 0;
    /** @type {number | undefined} */
    this.open = undefined;
  }

  /** @param {number} count @returns {Buffer} the next bytes of the stream */
  bytes(count) {
    const out = Buffer.allocUnsafe(count);
    let filled = 0;
    while (filled < count) {
      this.open ??= this.openNext();
      const read = readSync(this.open, out, filled, Math.min(readBytes, count - filled), null);
      if (read === 0) {
        closeSync(this.open);
        this.open = undefined;
      } else if (this.mask !== 0) {
        // A fixed mask keeps every repeat and frequency, hence how well the bytes compress, and changes every chunk.
        for (let at = filled; at < filled + read; at += 1) out[at] = /** @type {number} */ (out[at]) ^ this.mask;
      }
      filled += read;
    }
    return out;
  }

  /** @returns {number} */
  openNext() {
    if (this.next === this.files.length) {
      this.next = 0;
      this.mask = (this.mask + 37) & 255;
    }
    const file = /** @type {string} in range: wrapped above */ (this.files[this.next]);
    this.next += 1;
    return openSync(file, 'r');
  }

  close() {
    if (this.open !== undefined) closeSync(this.open);
    this.open = undefined;
  }
}
