import type { ObjectStore } from '../ports/object-store.ts';

/** Bytes of whole packs kept: trees of one archive lie together, so the second chunk of a pack brings in all of it. */
const WHOLE_CACHE_BYTES = 24 * 1024 * 1024;
/** Packs above this size are read in parts. */
const WHOLE_PACK_BYTES = 6 * 1024 * 1024;

/** Bytes that are read at once where small chunks are asked for in the order in which they lie: files of one directory do. */
const WINDOW_BYTES = 512 * 1024;
/** A chunk above this size is read by itself: the way to the store is short against its length. */
const SMALL_CHUNK_BYTES = 128 * 1024;
/** Bytes of windows kept. */
const WINDOW_CACHE_BYTES = 4 * 1024 * 1024;

/** Where some bytes of a pack are. */
export interface PackPart {
  readonly name: string;
  /** Of the whole pack. */
  readonly sizeBytes: number;
  readonly offset: number;
  readonly length: number;
}

/** A part of a pack that was read, or is on its way. */
interface Window {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  readonly bytes: Promise<Uint8Array>;
}

/** Reads parts of packs, and more than was asked for where the rest will be asked for next. */
export class PackBytes {
  private readonly store: ObjectStore;
  private readonly whole = new Map<string, Uint8Array>();
  private wholeBytes = 0;
  private readonly fetching = new Map<string, Promise<Uint8Array>>();
  /** Where the last part ended that was read of a pack. */
  private readonly lastEnd = new Map<string, number>();
  private windows: Window[] = [];

  constructor(store: ObjectStore) {
    this.store = store;
  }

  /** The bytes; a view or memory of their own. Rejects as stores do. */
  async get(part: PackPart): Promise<Uint8Array> {
    const { name, sizeBytes, offset, length } = part;
    const cached = this.whole.get(name);
    if (cached !== undefined) return cached.subarray(offset, offset + length);
    const last = this.lastEnd.get(name);
    this.lastEnd.set(name, Math.max(last ?? 0, offset + length));
    if (sizeBytes <= WHOLE_PACK_BYTES && last !== undefined) {
      return (await this.fetch(name)).subarray(offset, offset + length);
    }
    if (length <= SMALL_CHUNK_BYTES) {
      const window = this.windowWith(part) ?? (hasNext(part, last) ? this.open(part) : undefined);
      if (window !== undefined) {
        const from = offset - window.offset;
        return (await window.bytes).subarray(from, from + length);
      }
    }
    return await this.store.get({ kind: 'packs', name }, { range: { offset, length } });
  }

  /** Forgets what is kept of a pack: it may have been damaged on the way here. */
  drop(name: string): void {
    this.wholeBytes -= this.whole.get(name)?.length ?? 0;
    this.whole.delete(name);
    this.windows = this.windows.filter((window) => window.name !== name);
  }

  private windowWith({ name, offset, length }: PackPart): Window | undefined {
    return this.windows.find(
      (window) => window.name === name && window.offset <= offset && offset + length <= window.offset + window.length,
    );
  }

  /** Reads from the part on as much as a window takes. */
  private open({ name, sizeBytes, offset }: PackPart): Window {
    const length = Math.min(WINDOW_BYTES, sizeBytes - offset);
    const bytes = this.store.get({ kind: 'packs', name }, { range: { offset, length } });
    const window: Window = { name, offset, length, bytes };
    this.windows.push(window);
    if (this.windows.length * WINDOW_BYTES > WINDOW_CACHE_BYTES) this.windows.shift();
    // Whoever asked for it is told; the next one tries again.
    bytes.catch(() => (this.windows = this.windows.filter((one) => one !== window)));
    return window;
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
      if (this.wholeBytes <= WHOLE_CACHE_BYTES || oldest === name) break;
      this.drop(oldest);
    }
  }
}

/** True for a part that follows what was read last of its pack, perhaps after a gap, and that more lies behind. */
function hasNext({ offset, length, sizeBytes }: PackPart, last: number | undefined): boolean {
  return last !== undefined && offset >= last && offset - last < WINDOW_BYTES && offset + length < sizeBytes;
}
