import type { ObjectStore } from '../ports/object-store.ts';

/** Bytes of whole packs kept: trees of one archive lie together, so the second chunk of a pack brings in all of it. */
const CACHE_BYTES = 8 * 1024 * 1024;
/** Packs above this size are read chunk by chunk. */
const WHOLE_PACK_BYTES = 6 * 1024 * 1024;

/** Where some bytes of a pack are. */
export interface PackPart {
  readonly name: string;
  /** Of the whole pack. */
  readonly sizeBytes: number;
  readonly offset: number;
  readonly length: number;
}

/** Reads parts of packs, and all of a small one where the rest will be asked for next. */
export class PackBytes {
  private readonly store: ObjectStore;
  private readonly whole = new Map<string, Uint8Array>();
  private wholeBytes = 0;
  private readonly fetching = new Map<string, Promise<Uint8Array>>();
  private readonly touched = new Set<string>();
  /** Packs that had something wrong: read chunk by chunk, for each of their chunks may be damaged. */
  private readonly doubted = new Set<string>();

  constructor(store: ObjectStore) {
    this.store = store;
  }

  /** The bytes; a view or memory of their own. Rejects as stores do. */
  async get({ name, sizeBytes, offset, length }: PackPart): Promise<Uint8Array> {
    const cached = this.whole.get(name);
    if (cached !== undefined) return cached.subarray(offset, offset + length);
    if (sizeBytes > WHOLE_PACK_BYTES || this.doubted.has(name) || !this.touched.has(name)) {
      this.touched.add(name);
      return await this.store.get({ kind: 'packs', name }, { range: { offset, length } });
    }
    return (await this.fetch(name)).subarray(offset, offset + length);
  }

  /** Forgets what is kept of a pack: it may have been damaged on the way here. What is asked for next is read by itself. */
  doubt(name: string): void {
    this.doubted.add(name);
    this.drop(name);
  }

  private drop(name: string): void {
    this.wholeBytes -= this.whole.get(name)?.length ?? 0;
    this.whole.delete(name);
  }

  /** A whole pack, fetched once however many ask for it at the same time. */
  private async fetch(name: string): Promise<Uint8Array> {
    const underWay = this.fetching.get(name);
    if (underWay !== undefined) return await underWay;
    const fetched = this.store.get({ kind: 'packs', name });
    this.fetching.set(name, fetched);
    try {
      const object = await fetched;
      this.keep(name, object);
      return object;
    } finally {
      this.fetching.delete(name);
    }
  }

  private keep(name: string, object: Uint8Array): void {
    this.whole.set(name, object);
    this.wholeBytes += object.length;
    for (const oldest of this.whole.keys()) {
      if (this.wholeBytes <= CACHE_BYTES || oldest === name) break;
      this.drop(oldest);
    }
  }
}
