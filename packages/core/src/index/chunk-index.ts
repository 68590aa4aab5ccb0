import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { invariant } from '../errors.ts';
import type { IndexedPack, IndexSegment } from './segment.ts';
import { RECORD_BYTES } from './segment.ts';

/**
 * Memory layout of one slot, 7 words (28 bytes): 4 of the id's first half, then pack number + 1 (0 = free), then offset (26
 * bits) and the session's low 6 bits, then stored length (24), type (2) and the session's high 4 bits. At the load of 7/8
 * this is 32 bytes for a chunk.
 */
const SLOT_WORDS = 7;

/** Where one copy of a chunk lies. */
export interface ChunkPlace {
  /** Position in `ChunkIndex.packs`. */
  readonly pack: number;
  /** From the start of the object. */
  readonly offset: number;
  readonly storedLength: number;
  readonly session: number;
  readonly type: ChunkType;
}

/** The part of a chunk index that other threads read: plain shared memory. */
export interface SharedIndex {
  readonly slots: SharedArrayBuffer;
  /** One byte for each pack, set to 1 when a run uses a chunk of it. */
  readonly usedPacks: SharedArrayBuffer;
}

/** Looks ids up in shared memory. The same table in every thread. */
export class IndexLookup {
  private readonly words: Uint32Array;
  private readonly capacity: number;
  private readonly used: Uint8Array;

  constructor(shared: SharedIndex) {
    this.words = new Uint32Array(shared.slots);
    this.capacity = this.words.length / SLOT_WORDS;
    this.used = new Uint8Array(shared.usedPacks);
  }

  /** Word position of the first slot that holds `id`, from `after` on, or −1. */
  find(id: Uint8Array, after = -1): number {
    const { words, capacity } = this;
    if (capacity === 0) return -1;
    const a = word(id, 0);
    const b = word(id, 4);
    const c = word(id, 8);
    const d = word(id, 12);
    let slot = after === -1 ? home(a, capacity) : (after / SLOT_WORDS + 1) % capacity;
    for (let probes = 0; probes < capacity; probes++) {
      const at = slot * SLOT_WORDS;
      if (words[at + 4] === 0) return -1;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at;
      slot = slot + 1 === capacity ? 0 : slot + 1;
    }
    return -1;
  }

  /** True when the chunk is in a pack; the pack is then marked as used by this run. */
  use(id: Uint8Array): boolean {
    const at = this.find(id);
    if (at === -1) return false;
    this.used[(this.words[at + 4] as number) - 1] = 1;
    return true;
  }

  place(at: number): ChunkPlace {
    const middle = this.words[at + 5] as number;
    const last = this.words[at + 6] as number;
    return {
      pack: (this.words[at + 4] as number) - 1,
      offset: middle & 0x03ff_ffff,
      storedLength: last & 0x00ff_ffff,
      session: (middle >>> 26) | ((last >>> 26) << 6),
      type: ((last >>> 24) & 3) as ChunkType,
    };
  }
}

function word(id: Uint8Array, at: number): number {
  const bytes = id as Uint8Array & Record<number, number>;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** Ids are evenly spread, so the first word scaled to the table is the hash. */
function home(first: number, capacity: number): number {
  return Math.floor((first / 0x1_0000_0000) * capacity);
}

/** Which chunk is where, over all segments: open addressing in shared memory, no JavaScript object per chunk. */
export class ChunkIndex {
  readonly packs: readonly IndexedPack[];
  readonly shared: SharedIndex;
  readonly size: number;
  private readonly lookup: IndexLookup;

  private constructor(packs: readonly IndexedPack[], shared: SharedIndex, size: number) {
    this.packs = packs;
    this.shared = shared;
    this.size = size;
    this.lookup = new IndexLookup(shared);
  }

  /**
   * Builds the table. Packs named in `swept` do not exist, whatever a segment says. What several segments say of a pack adds
   * up: none can hide what another lists.
   */
  static build(segments: readonly IndexSegment[], swept: ReadonlySet<string>): ChunkIndex {
    const total = segments.reduce((sum, segment) => sum + segment.records.length / RECORD_BYTES, 0);
    const capacity = total === 0 ? 0 : Math.ceil((total * 8) / 7) + 1;
    const slots = new SharedArrayBuffer(capacity * SLOT_WORDS * 4);
    const words = new Uint32Array(slots);
    const packs: IndexedPack[] = [];
    const known = new Map<string, number>();
    let size = 0;
    for (const segment of segments) {
      const numbers = segment.packs.map((pack) => {
        if (swept.has(pack.name)) return -1;
        const listed = known.get(pack.name);
        if (listed !== undefined && samePack(packs[listed] as IndexedPack, pack)) return listed;
        packs.push(pack);
        known.set(pack.name, packs.length - 1);
        return packs.length - 1;
      });
      const { records } = segment;
      for (let at = 0; at < records.length; at += RECORD_BYTES) {
        const number = numbers[records.readUInt32LE(at + 16)];
        invariant(number !== undefined, 'the segment was checked when it was decoded');
        if (number === -1) continue;
        if (insert(words, capacity, records, at, number, packs[number] as IndexedPack)) size += 1;
      }
    }
    const usedPacks = new SharedArrayBuffer(Math.max(1, packs.length));
    return new ChunkIndex(packs, { slots, usedPacks }, size);
  }

  has(id: Uint8Array): boolean {
    return this.lookup.find(id) !== -1;
  }

  use(id: Uint8Array): boolean {
    return this.lookup.use(id);
  }

  /** One place of the chunk, or undefined when no pack has it. */
  find(id: Uint8Array): ChunkPlace | undefined {
    const at = this.lookup.find(id);
    return at === -1 ? undefined : this.lookup.place(at);
  }

  /** Every place of the chunk. */
  places(id: Uint8Array): ChunkPlace[] {
    const found: ChunkPlace[] = [];
    for (let at = this.lookup.find(id); at !== -1; at = this.lookup.find(id, at)) found.push(this.lookup.place(at));
    return found;
  }

  /** Names of the packs that this run took chunks from. */
  usedPacks(): string[] {
    const used = new Uint8Array(this.shared.usedPacks);
    return [...new Set(this.packs.filter((_, number) => used[number] === 1).map((pack) => pack.name))];
  }

  clearUsedPacks(): void {
    new Uint8Array(this.shared.usedPacks).fill(0);
  }
}

/** True when two listings of a pack say the same of it, so that offsets and sessions mean the same. */
function samePack(a: IndexedPack, b: IndexedPack): boolean {
  return (
    a.sizeBytes === b.sizeBytes &&
    a.dataStart === b.dataStart &&
    a.kind === b.kind &&
    a.sessions.length === b.sessions.length &&
    a.sessions.every(({ sid, epk }, i) => {
      const other = b.sessions[i];
      return other !== undefined && Buffer.compare(sid, other.sid) === 0 && Buffer.compare(epk, other.epk) === 0;
    })
  );
}

/** False when the very same place is in the table already. */
function insert(
  words: Uint32Array,
  capacity: number,
  records: Buffer,
  at: number,
  pack: number,
  of: IndexedPack,
): boolean {
  const [a, b] = [records.readUInt32LE(at), records.readUInt32LE(at + 4)];
  const [c, d] = [records.readUInt32LE(at + 8), records.readUInt32LE(at + 12)];
  const session = records.readUInt16LE(at + 32);
  const middle = (((of.dataStart + records.readUInt32LE(at + 20)) & 0x03ff_ffff) | (session << 26)) >>> 0;
  const type = records[at + 34] as number;
  const last = (records.readUInt32LE(at + 24) | (type << 24) | ((session >>> 6) << 26)) >>> 0;
  let slot = home(a, capacity);
  let to = slot * SLOT_WORDS;
  while (words[to + 4] !== 0) {
    const samePlace = words[to + 4] === pack + 1 && words[to + 5] === middle && words[to + 6] === last;
    if (samePlace && words[to] === a && words[to + 1] === b && words[to + 2] === c && words[to + 3] === d) return false;
    slot = slot + 1 === capacity ? 0 : slot + 1;
    to = slot * SLOT_WORDS;
  }
  words[to] = a;
  words[to + 1] = b;
  words[to + 2] = c;
  words[to + 3] = d;
  words[to + 4] = pack + 1;
  words[to + 5] = middle;
  words[to + 6] = last;
  return true;
}
