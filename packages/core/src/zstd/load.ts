import type { Zstd } from '../ports/zstd.ts';
import { loadLibzstd } from './libzstd.ts';
import { loadNodeZstd } from './node-zstd.ts';

/**
 * The fastest zstd at hand: the system's library, Node's own, or WebAssembly. The library comes first because its contexts
 * are kept between calls, which is what counts for small files.
 */
export async function loadZstd(): Promise<Zstd> {
  const native = loadLibzstd() ?? loadNodeZstd();
  if (native !== undefined) return native;
  const { loadWasmZstd } = await import('./wasm-zstd.ts');
  return await loadWasmZstd();
}
