import type { ChunkType } from '../crypto/chunk-crypto.ts';

/** Trees of one archive, readable by chunk id. */
export interface CachedTrees {
  /** Archive whose trees these are, 32 hex digits. */
  readonly archive: string;
  /** The plaintext, or undefined when it is not here. The reader verifies nothing: the caller recomputes the id. */
  read(id: Uint8Array): Uint8Array | undefined;
  close(): void;
}

/** Trees on their way into the cache. */
export interface TreeCacheWriter {
  /** Keeps a chunk. Takes each id once; the bytes are copied or written at once. */
  add(type: ChunkType, id: Uint8Array, plaintext: Uint8Array): void;
  /** Makes what was added the cached trees of `archive`. */
  commit(archive: string): void;
  discard(): void;
}

/**
 * Where a client keeps the trees of each series' newest archive, so that a host that cannot read the repository still backs
 * up incrementally. Disposable: losing it costs reading files once. Holds names and metadata, never file content.
 */
export interface TreeCache {
  open(repository: string, series: string): CachedTrees | undefined;
  write(repository: string, series: string): TreeCacheWriter;
}

/** Keeps nothing. */
export const noTreeCache: TreeCache = {
  open: () => undefined,
  write: () => ({ add: () => undefined, commit: () => undefined, discard: () => undefined }),
};
