import type { Zstd } from '../ports/zstd.ts';
import { frameShape } from './frame.ts';

/** zstd compiled to WebAssembly: about half the speed, runs everywhere. */
export async function loadWasmZstd(): Promise<Zstd> {
  const wasm = await import('@bokuweb/zstd-wasm');
  await wasm.init();
  return {
    name: 'wasm',
    compress: (source, level) => wasm.compress(source, level),
    decompress(frame, length) {
      // The package takes several frames at once, and allocates whatever the first one claims.
      const shape = frameShape(frame);
      if (shape?.length !== frame.length) return undefined;
      if (shape.contentSize !== undefined && shape.contentSize !== BigInt(length)) return undefined;
      let plaintext: Uint8Array;
      try {
        plaintext = wasm.decompress(Buffer.from(frame), { defaultHeapSize: Math.max(1, length) });
      } catch {
        // Not a frame, or more than `length` bytes: the port has one answer for both.
        return undefined;
      }
      return plaintext.length === length ? plaintext : undefined;
    },
  };
}
