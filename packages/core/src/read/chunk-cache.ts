import { CHUNK_TYPE, type ChunkType } from '../crypto/chunk-crypto.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';

export interface ChunkCacheOptions {
  /** Bytes of opened file data kept, 32 MiB unless given. */
  readonly dataBytes?: number;
  /** Bytes of opened trees and chunk lists kept, 16 MiB unless given. */
  readonly treeBytes?: number;
  /** Hears of each chunk of file data that is not kept any more. Readers may have a part of it still. */
  readonly onLetGo?: (chunk: Uint8Array) => void;
}

const DATA_BYTES = 32 * 1024 * 1024;
const TREE_BYTES = 16 * 1024 * 1024;

/** Opened chunks of one class, the least recently used going first. */
class Shelf {
  private readonly most: number;
  private readonly onLetGo: ((chunk: Uint8Array) => void) | undefined;
  private readonly chunks = new Map<string, Uint8Array>();
  private bytes = 0;

  constructor(most: number, onLetGo?: (chunk: Uint8Array) => void) {
    this.most = most;
    this.onLetGo = onLetGo;
  }

  get(key: string): Uint8Array | undefined {
    const chunk = this.chunks.get(key);
    if (chunk === undefined) return undefined;
    this.chunks.delete(key);
    this.chunks.set(key, chunk);
    return chunk;
  }

  has(key: string): boolean {
    return this.chunks.has(key);
  }

  /** One chunk larger than the shelf is kept until the next comes. */
  add(key: string, chunk: Uint8Array): void {
    this.chunks.set(key, chunk);
    this.bytes += chunk.length;
    for (const [oldest, letGo] of this.chunks) {
      if (this.bytes <= this.most || oldest === key) return;
      this.chunks.delete(oldest);
      this.bytes -= letGo.length;
      this.onLetGo?.(letGo);
    }
  }
}

/**
 * Keeps opened chunks, so that small reads near each other open a chunk once, and gives one that is being opened to everybody
 * who asks for it. Trees and file data have room of their own: reading a large file does not push out directories.
 */
export class ChunkCache implements ChunkSource {
  private readonly source: ChunkSource;
  private readonly data: Shelf;
  private readonly trees: Shelf;
  private readonly opening = new Map<string, Promise<Uint8Array>>();

  constructor(source: ChunkSource, options: ChunkCacheOptions = {}) {
    this.source = source;
    this.data = new Shelf(options.dataBytes ?? DATA_BYTES, options.onLetGo);
    this.trees = new Shelf(options.treeBytes ?? TREE_BYTES);
  }

  /** Rejects as the source does. What failed is not kept: the next call tries again. */
  chunk(type: ChunkType, id: Uint8Array, urgent = true): Promise<Uint8Array> {
    const key = keyOf(type, id);
    const kept = this.shelf(type).get(key);
    if (kept !== undefined) return Promise.resolve(kept);
    const underWay = this.opening.get(key);
    if (underWay !== undefined) return underWay;
    const opened = this.open(type, id, key, urgent);
    this.opening.set(key, opened);
    return opened;
  }

  kept(type: ChunkType, id: Uint8Array): Uint8Array | undefined {
    return this.shelf(type).get(keyOf(type, id));
  }

  /** Begins to open a chunk that will be asked for soon. A failure is told to whoever asks for it then. */
  prefetch(type: ChunkType, id: Uint8Array): void {
    const key = keyOf(type, id);
    if (this.shelf(type).has(key) || this.opening.has(key)) return;
    this.chunk(type, id, false).catch(() => undefined);
  }

  private async open(type: ChunkType, id: Uint8Array, key: string, urgent: boolean): Promise<Uint8Array> {
    try {
      const chunk = await this.source.chunk(type, id, urgent);
      this.shelf(type).add(key, chunk);
      return chunk;
    } finally {
      this.opening.delete(key);
    }
  }

  private shelf(type: ChunkType): Shelf {
    return type === CHUNK_TYPE.data ? this.data : this.trees;
  }
}

function keyOf(type: ChunkType, id: Uint8Array): string {
  return `${type}${Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')}`;
}
