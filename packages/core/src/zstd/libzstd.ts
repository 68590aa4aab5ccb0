import { createRequire } from 'node:module';

import { invariant } from '../errors.ts';
import type { Zstd } from '../ports/zstd.ts';
import { frameShape } from './frame.ts';

/** The system's libzstd through koffi. One compression and one decompression context, kept: small inputs cost 20 µs. */
export function loadLibzstd(): Zstd | undefined {
  let koffi: typeof import('koffi');
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  } catch {
    // No prebuilt koffi for this platform: another implementation is used.
    return undefined;
  }
  const library = openLibrary(koffi);
  if (library === undefined) return undefined;
  const createCompressor = library.func('void *ZSTD_createCCtx()');
  const createDecompressor = library.func('void *ZSTD_createDCtx()');
  const compressBound = library.func('size_t ZSTD_compressBound(size_t)');
  const compress = library.func('size_t ZSTD_compressCCtx(void *, void *, size_t, const void *, size_t, int)');
  const decompress = library.func('size_t ZSTD_decompressDCtx(void *, void *, size_t, const void *, size_t)');
  const isError = library.func('unsigned int ZSTD_isError(size_t)');
  const compressor: unknown = createCompressor();
  const decompressor: unknown = createDecompressor();
  let output: Uint8Array = Buffer.allocUnsafeSlow(256 * 1024);
  return {
    name: 'libzstd',
    compress(source, level) {
      const bound = Number(compressBound(source.length));
      if (output.length < bound) output = Buffer.allocUnsafeSlow(bound);
      const size = Number(compress(compressor, output, output.length, source, source.length, level));
      invariant(!isError(size), 'libzstd compresses into a buffer of its own bound');
      return output.subarray(0, size);
    },
    decompress(frame, length) {
      // The function takes several frames at once, and frames of nothing.
      if (frameShape(frame)?.length !== frame.length) return undefined;
      const plaintext = Buffer.allocUnsafeSlow(length);
      const size: unknown = decompress(decompressor, plaintext, length, frame, frame.length);
      return Number(size) === length ? plaintext : undefined;
    },
  };
}

function openLibrary(koffi: typeof import('koffi')): import('koffi').LibraryHandle | undefined {
  for (const name of ['libzstd.so.1', 'libzstd.1.dylib']) {
    try {
      return koffi.load(name);
    } catch {
      // Not on this system under that name.
    }
  }
  return undefined;
}
