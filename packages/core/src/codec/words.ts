import { endianness } from 'node:os';

const IS_LITTLE = endianness() === 'LE';

/** The bytes, a multiple of four, as little-endian words: much faster to go through than a buffer. A view where that can be. */
export function littleWords(bytes: Buffer): Uint32Array {
  if (IS_LITTLE && bytes.byteOffset % 4 === 0) {
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  }
  const own = Buffer.from(new Uint8Array(bytes).buffer);
  if (!IS_LITTLE) own.swap32();
  return new Uint32Array(own.buffer, own.byteOffset, own.length / 4);
}
