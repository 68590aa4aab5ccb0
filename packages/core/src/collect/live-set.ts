import type { ChunkType } from '../crypto/chunk-crypto.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { IdSet } from '../index/id-set.ts';
import { IndexLookup, SLOT_WORDS } from '../index/index-lookup.ts';

/** One index with a bit for each of its slots. */
class Layer {
  readonly lookup: IndexLookup;
  /** One byte for each pack, set to 1 when a chunk of it became live. */
  readonly touched: Uint8Array;
  private readonly live: Uint8Array;
  private readonly visited: Uint8Array;

  constructor(index: ChunkIndex) {
    this.lookup = new IndexLookup(index.shared);
    this.touched = new Uint8Array(index.packs.length);
    this.live = new Uint8Array(Math.ceil(this.lookup.capacity / 8));
    this.visited = new Uint8Array(this.live.length);
  }

  /** Word position of the first slot of the chunk, from `after` on, or −1. */
  find(type: ChunkType, id: Uint8Array, after = -1): number {
    let at = this.lookup.find(id, after);
    while (at !== -1 && this.lookup.typeAt(at) !== type) at = this.lookup.find(id, at);
    return at;
  }

  isLive(at: number): boolean {
    return hasBit(this.live, at / SLOT_WORDS);
  }

  /** Marks every copy of the chunk; false when there is none. */
  mark(type: ChunkType, id: Uint8Array): boolean {
    const first = this.find(type, id);
    for (let at = first; at !== -1; at = this.find(type, id, at)) {
      if (setBit(this.live, at / SLOT_WORDS)) this.touched[this.lookup.packAt(at)] = 1;
    }
    return first !== -1;
  }

  /** True the first time. */
  visit(at: number): boolean {
    return setBit(this.visited, at / SLOT_WORDS);
  }
}

function hasBit(bits: Uint8Array, number: number): boolean {
  return ((bits[number >>> 3] as number) & (1 << (number & 7))) !== 0;
}

/** True when it was not set before. */
function setBit(bits: Uint8Array, number: number): boolean {
  const mask = 1 << (number & 7);
  const byte = bits[number >>> 3] as number;
  bits[number >>> 3] = byte | mask;
  return (byte & mask) === 0;
}

/**
 * Which chunks archives refer to: two bits for each slot of an index, no object each. Chunks that no index has are
 * remembered, too: what cannot be resolved is live (rule R8).
 */
export class LiveSet {
  private readonly layers: [Layer, ...Layer[]];
  private readonly unlisted = new IdSet();
  private readonly visitedUnlisted = new IdSet();

  /** @param index of everything that is judged. */
  constructor(index: ChunkIndex) {
    this.layers = [new Layer(index)];
  }

  /** Adds what turned up since: chunks in it are found, and nothing of it is judged. */
  add(index: ChunkIndex): void {
    this.layers.push(new Layer(index));
  }

  /** Says that an archive refers to the chunk. */
  mark(type: ChunkType, id: Uint8Array): void {
    let found = false;
    for (const layer of this.layers) found = layer.mark(type, id) || found;
    if (!found) this.unlisted.add(id);
  }

  /** True the first time it is called for the chunk. */
  visit(type: ChunkType, id: Uint8Array): boolean {
    for (const layer of this.layers) {
      const at = layer.find(type, id);
      if (at !== -1) return layer.visit(at);
    }
    return this.visitedUnlisted.add(id);
  }

  /** Whether an archive refers to the chunk, wherever it is. */
  isLive(type: ChunkType, id: Uint8Array): boolean {
    for (const layer of this.layers) {
      const at = layer.find(type, id);
      if (at !== -1 && layer.isLive(at)) return true;
    }
    return this.unlisted.has(id);
  }

  /** Whether an archive refers to the chunk, and no pack that an index segment lists has it. */
  isUnlisted(id: Uint8Array): boolean {
    return this.unlisted.has(id) && this.layers.every(({ lookup }) => lookup.find(id) === -1);
  }

  /** How many chunks archives refer to that no index had when they were met. */
  get unlistedCount(): number {
    return this.unlisted.size;
  }

  /** Of the index that is judged. */
  get lookup(): IndexLookup {
    return this.layers[0].lookup;
  }

  /** Whether the chunk in that slot of the judged index is live. */
  isLiveAt(at: number): boolean {
    return this.layers[0].isLive(at);
  }

  /** Whether a chunk of that pack became live since `forgetTouched`. */
  isTouched(pack: number): boolean {
    return this.layers[0].touched[pack] === 1;
  }

  forgetTouched(): void {
    for (const { touched } of this.layers) touched.fill(0);
  }
}
