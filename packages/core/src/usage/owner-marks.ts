import type { ChunkIndex } from '../index/chunk-index.ts';
import { IndexLookup, SLOT_WORDS } from '../index/index-lookup.ts';

const NOBODY = 0;
const SEVERAL = 0xffff_ffff;

/** Chunks and what they take in packs. */
export interface ChunkSum {
  readonly chunks: number;
  /** Sealed, bytes. */
  readonly storedBytes: number;
}

/**
 * Who needs which chunk: nobody, one owner, or several. Two numbers for each slot of the index, no object for a chunk. Owners
 * are numbered from 0.
 */
export class OwnerMarks {
  private readonly lookup: IndexLookup;
  private readonly owners: Uint32Array;
  /** For chunks that other chunks are read from: for whom that was done. */
  private readonly walked: Uint32Array;
  /** Plaintext of all chunks that somebody needs, each once, bytes. */
  neededBytes = 0;
  /** What those take that nobody had needed when they were first needed, since this was last set to zero. */
  firstStoredBytes = 0;
  /** References to chunks that no pack has. */
  missing = 0;

  constructor(index: ChunkIndex) {
    this.lookup = new IndexLookup(index.shared);
    this.owners = new Uint32Array(this.lookup.capacity);
    this.walked = new Uint32Array(this.lookup.capacity);
  }

  /** Notes that `owner` needs a chunk, whose plaintext has `length` bytes. */
  need(id: Uint8Array, length: number, owner: number): void {
    const at = this.lookup.find(id);
    if (at === -1) {
      this.missing += 1;
      return;
    }
    const slot = at / SLOT_WORDS;
    const before = this.owners[slot];
    if (before === NOBODY) {
      this.owners[slot] = owner + 1;
      this.neededBytes += length;
      this.firstStoredBytes += this.lookup.storedLengthAt(at);
    } else if (before !== owner + 1) this.owners[slot] = SEVERAL;
  }

  /**
   * True when all that is below this chunk must be walked for `owner`; false when that was done for it already, or for
   * several others, so that all of it is known to be needed by several.
   */
  enter(id: Uint8Array, owner: number): boolean {
    const at = this.lookup.find(id);
    if (at === -1) return true;
    const slot = at / SLOT_WORDS;
    const before = this.walked[slot];
    if (before === owner + 1 || before === SEVERAL) return false;
    this.walked[slot] = before === NOBODY ? owner + 1 : SEVERAL;
    return true;
  }

  /** What each of so many owners needs alone. */
  alone(owners: number): ChunkSum[] {
    const sums = Array.from({ length: owners }, () => ({ chunks: 0, storedBytes: 0 }));
    for (let at = this.lookup.nextTaken(); at !== -1; at = this.lookup.nextTaken(at)) {
      const sum = sums[(this.owners[at / SLOT_WORDS] as number) - 1];
      if (sum === undefined) continue;
      sum.chunks += 1;
      sum.storedBytes += this.lookup.storedLengthAt(at);
    }
    return sums;
  }

  /** What somebody needs, and what nobody does: chunks that are left over, and second copies. */
  split(): { readonly needed: ChunkSum; readonly unneeded: ChunkSum } {
    const needed = { chunks: 0, storedBytes: 0 };
    const unneeded = { chunks: 0, storedBytes: 0 };
    for (let at = this.lookup.nextTaken(); at !== -1; at = this.lookup.nextTaken(at)) {
      const sum = this.owners[at / SLOT_WORDS] === NOBODY ? unneeded : needed;
      sum.chunks += 1;
      sum.storedBytes += this.lookup.storedLengthAt(at);
    }
    return { needed, unneeded };
  }
}
