// @ts-check
import { createCipheriv, createHash } from 'node:crypto';

const refillBytes = 64 * 1024;

/** A fast deterministic stream: the AES-128-CTR keystream under a key hashed from a label. */
export class SeededStream {
  /** @param {string} label the same label always gives the same stream */
  constructor(label) {
    const key = createHash('sha256').update(label).digest().subarray(0, 16);
    this.cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
    this.words = new Uint32Array(0);
    this.nextWord = 0;
  }

  /** @param {number} count @returns {Buffer} that many incompressible bytes */
  bytes(count) {
    return this.cipher.update(Buffer.alloc(count));
  }

  /** @returns {number} at least 0 and below 1 */
  fraction() {
    if (this.nextWord === this.words.length) {
      const bytes = Uint8Array.from(this.bytes(refillBytes));
      this.words = new Uint32Array(bytes.buffer);
      this.nextWord = 0;
    }
    const word = /** @type {number} in range: checked above */ (this.words[this.nextWord]);
    this.nextWord += 1;
    return word / 2 ** 32;
  }

  /** @param {number} limit @returns {number} a whole number from 0 to limit − 1 */
  below(limit) {
    return Math.floor(this.fraction() * limit);
  }
}
