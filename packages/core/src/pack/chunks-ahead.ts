import type { ChunkType } from '../crypto/chunk-crypto.ts';

/** Chunks on their way at once. */
const IN_FLIGHT = 16;
/** Bytes of chunks that came and were not taken yet, and how many. */
const HELD_BYTES = 16 * 1024 * 1024;
const HELD_CHUNKS = 512;
/** Chunks that are known to be wanted. */
const WANTED_CHUNKS = 16_384;

interface Wanted {
  readonly type: ChunkType;
  readonly id: Uint8Array;
  readonly name: string;
}

interface Coming {
  readonly bytes: Promise<Uint8Array>;
  /** Known once it is here. */
  length: number | undefined;
}

/**
 * Fetches chunks before they are asked for, so that a walk need not wait for the store at each step. What was wanted last
 * is fetched first: a walk goes into the depth.
 */
export class ChunksAhead {
  private readonly fetch: (type: ChunkType, id: Uint8Array) => Promise<Uint8Array>;
  private wanted: Wanted[] = [];
  private readonly coming = new Map<string, Coming>();
  private inFlight = 0;
  private heldBytes = 0;

  constructor(fetch: (type: ChunkType, id: Uint8Array) => Promise<Uint8Array>) {
    this.fetch = fetch;
  }

  /** These will be asked for, in this order, and before what was wanted so far. */
  want(type: ChunkType, ids: readonly Uint8Array[]): void {
    for (const id of ids.toReversed()) this.wanted.push({ type, id: new Uint8Array(id), name: nameOf(id) });
    if (this.wanted.length > WANTED_CHUNKS) this.wanted = this.wanted.slice(-WANTED_CHUNKS / 2);
    this.start();
  }

  /** The chunk, if it is here or on its way; each is given once. Its fetch may have failed: then it rejects. */
  take(id: Uint8Array): Promise<Uint8Array> | undefined {
    const name = nameOf(id);
    const found = this.coming.get(name);
    if (found !== undefined) this.drop(name, found);
    this.start();
    return found?.bytes;
  }

  private start(): void {
    while (this.inFlight < IN_FLIGHT) {
      const next = this.wanted.pop();
      if (next === undefined) return;
      if (this.coming.has(next.name)) continue;
      this.inFlight += 1;
      const coming: Coming = { bytes: this.fetch(next.type, next.id), length: undefined };
      this.coming.set(next.name, coming);
      coming.bytes.then(
        (bytes) => this.arrived(next.name, coming, bytes.length),
        // Whoever asks for it hears of it, or tries again.
        () => this.arrived(next.name, coming, 0),
      );
    }
  }

  private arrived(name: string, coming: Coming, length: number): void {
    this.inFlight -= 1;
    if (this.coming.get(name) === coming) {
      coming.length = length;
      this.heldBytes += length;
    }
    for (const [oldest, held] of this.coming) {
      if (this.heldBytes <= HELD_BYTES && this.coming.size <= HELD_CHUNKS) break;
      if (held.length !== undefined) this.drop(oldest, held);
    }
    this.start();
  }

  private drop(name: string, { length }: Coming): void {
    this.coming.delete(name);
    this.heldBytes -= length ?? 0;
  }
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}
