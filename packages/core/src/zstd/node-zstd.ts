import * as zlib from 'node:zlib';

import type { Zstd } from '../ports/zstd.ts';
import { frameShape } from './frame.ts';

/** The part of `node:zlib` that exists from Node 22.15; the types here are of Node 20. */
interface ZstdFunctions {
  zstdCompressSync(source: Uint8Array, options: { chunkSize: number; params: Record<number, number> }): Buffer;
  zstdDecompressSync(frame: Uint8Array, options: { chunkSize: number; maxOutputLength: number }): Buffer;
}

/** `ZSTD_c_compressionLevel` of zstd.h. */
const COMPRESSION_LEVEL = 100;
/** Output is gathered in pieces of this size; the default of 16 KiB costs a third of the speed at 1 MiB. */
const PIECE_BYTES = 1024 * 1024 + 64 * 1024;

export function loadNodeZstd(): Zstd | undefined {
  if (!('zstdCompressSync' in zlib)) return undefined;
  const functions = zlib as unknown as ZstdFunctions;
  return {
    name: 'node',
    compress: (source, level) =>
      functions.zstdCompressSync(source, {
        chunkSize: Math.min(PIECE_BYTES, source.length + 1024),
        params: { [COMPRESSION_LEVEL]: level },
      }),
    decompress(frame, length) {
      // The function takes several frames at once.
      if (frameShape(frame)?.length !== frame.length) return undefined;
      let plaintext: Buffer;
      try {
        plaintext = functions.zstdDecompressSync(frame, {
          chunkSize: Math.max(64, Math.min(PIECE_BYTES, length)),
          maxOutputLength: Math.max(1, length),
        });
      } catch {
        // Not a frame, or more than `length` bytes: the port has one answer for both.
        return undefined;
      }
      return plaintext.length === length ? plaintext : undefined;
    },
  };
}
