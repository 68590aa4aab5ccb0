import type { ChunkType } from '../crypto/chunk-crypto.ts';

/**
 * Memory layout of one slot, 7 words (28 bytes): 4 of the id's first half, then pack number + 1 (0 = free), then offset (26
 * bits) and the session's low 6 bits, then stored length (24), type (2), the session's high 4 bits, one bit that is 0, and one
 * that says that the place is noted as damaged. At the load of 7/8 this is 32 bytes for a chunk.
 */
export const SLOT_WORDS = 7;
/** In the last word of a slot. */
export const DAMAGED_BIT = 0x8000_0000;

/** Bits of a pack's byte in `SharedIndex.packMarks`. */
export const PACK_USED = 1;
export const PACK_CONDEMNED = 2;

/** Where one copy of a chunk lies. */
export interface ChunkPlace {
  /** Position in `ChunkIndex.packs`. */
  readonly pack: number;
  /** From the start of the object. */
  readonly offset: number;
  readonly storedLength: number;
  readonly session: number;
  readonly type: ChunkType;
  /** The log says that what is there cannot be opened. */
  readonly damaged: boolean;
}

/** The part of a chunk index that other threads read: plain shared memory. */
export interface SharedIndex {
  readonly slots: SharedArrayBuffer;
  /** One byte for each pack: whether the run uses a chunk of it, and whether it is condemned. */
  readonly packMarks: SharedArrayBuffer;
}

/** Looks ids up in shared memory. The same table in every thread. */
export class IndexLookup {
  private readonly words: Uint32Array;
  private readonly marks: Uint8Array;
  /** Slots, taken or free; a slot's number is its word position divided by `SLOT_WORDS`. */
  readonly capacity: number;

  constructor(shared: SharedIndex) {
    this.words = new Uint32Array(shared.slots);
    this.capacity = this.words.length / SLOT_WORDS;
    this.marks = new Uint8Array(shared.packMarks);
  }

  /** Word position of the first slot that holds `id`, from `after` on, or −1. */
  find(id: Uint8Array, after = -1): number {
    const { words, capacity } = this;
    if (capacity === 0) return -1;
    const a = word(id, 0);
    const b = word(id, 4);
    const c = word(id, 8);
    const d = word(id, 12);
    let slot = after === -1 ? homeSlot(a, capacity) : (after / SLOT_WORDS + 1) % capacity;
    for (let probes = 0; probes < capacity; probes++) {
      const at = slot * SLOT_WORDS;
      if (words[at + 4] === 0) return -1;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
    return -1;
  }

  /**
   * True when the chunk is in a pack and not noted as damaged there; the pack is then marked as used by this run. Of several
   * packs one is taken that is not condemned: whoever uses a condemned one must rescue it, and compaction would never end.
   */
  use(id: Uint8Array): boolean {
    let chosen = -1;
    for (let at = this.find(id); at !== -1; at = this.find(id, at)) {
      if (this.isDamagedAt(at)) continue;
      const isCondemned = ((this.marks[this.packAt(at)] as number) & PACK_CONDEMNED) !== 0;
      if (chosen === -1 || !isCondemned) chosen = at;
      if (!isCondemned) break;
    }
    if (chosen === -1) return false;
    const pack = this.packAt(chosen);
    this.marks[pack] = (this.marks[pack] as number) | PACK_USED;
    return true;
  }

  /** Whether the log says that what is in the slot at that word position cannot be opened. */
  private isDamagedAt(at: number): boolean {
    return ((this.words[at + 6] as number) & DAMAGED_BIT) !== 0;
  }

  /** Position in `ChunkIndex.packs` of the pack of the slot at that word position, which must be taken. */
  packAt(at: number): number {
    return (this.words[at + 4] as number) - 1;
  }

  /** Type of the chunk of the slot at that word position. */
  typeAt(at: number): ChunkType {
    return (((this.words[at + 6] as number) >>> 24) & 3) as ChunkType;
  }

  storedLengthAt(at: number): number {
    return (this.words[at + 6] as number) & 0x00ff_ffff;
  }

  /** Position in the pack's session table. */
  sessionAt(at: number): number {
    return ((this.words[at + 5] as number) >>> 26) | ((((this.words[at + 6] as number) >>> 26) & 15) << 6);
  }

  /** First half of the id of the taken slot at that word position. */
  halfIdAt(at: number): Uint8Array {
    const half = Buffer.alloc(16);
    for (let i = 0; i < 4; i++) half.writeUInt32LE(this.words[at + i] as number, 4 * i);
    return half;
  }

  /** Word position of the first taken slot after word position `after`, or −1: walks the table. */
  nextTaken(after = -SLOT_WORDS): number {
    for (let at = after + SLOT_WORDS; at < this.words.length; at += SLOT_WORDS) {
      if (this.words[at + 4] !== 0) return at;
    }
    return -1;
  }

  /** Word position of the next slot with the same half id as the taken one at `at`, or −1. */
  nextSame(at: number): number {
    const { words, capacity } = this;
    let slot = at / SLOT_WORDS;
    for (let probes = 1; probes < capacity; probes++) {
      slot = slot + 1 === capacity ? 0 : slot + 1;
      const other = slot * SLOT_WORDS;
      if (words[other + 4] === 0) return -1;
      if (sameHalf(words, at, other)) return other;
    }
    return -1;
  }

  /** Word position of the first slot with the half id of the taken one at `at`. */
  firstSame(at: number): number {
    const { words, capacity } = this;
    let slot = homeSlot(words[at] as number, capacity);
    while (!sameHalf(words, at, slot * SLOT_WORDS)) slot = slot + 1 === capacity ? 0 : slot + 1;
    return slot * SLOT_WORDS;
  }

  place(at: number): ChunkPlace {
    const middle = this.words[at + 5] as number;
    const last = this.words[at + 6] as number;
    return {
      pack: this.packAt(at),
      offset: middle & 0x03ff_ffff,
      storedLength: last & 0x00ff_ffff,
      session: this.sessionAt(at),
      type: this.typeAt(at),
      damaged: this.isDamagedAt(at),
    };
  }
}

function word(id: Uint8Array, at: number): number {
  const bytes = id as Uint8Array & Record<number, number>;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function sameHalf(words: Uint32Array, a: number, b: number): boolean {
  return (
    words[a] === words[b] &&
    words[a + 1] === words[b + 1] &&
    words[a + 2] === words[b + 2] &&
    words[a + 3] === words[b + 3]
  );
}

/** Ids are evenly spread, so the first word scaled to the table is the hash. */
export function homeSlot(first: number, capacity: number): number {
  return Math.floor((first / 0x1_0000_0000) * capacity);
}
