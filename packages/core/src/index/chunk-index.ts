import { littleWords } from '../codec/words.ts';
import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import { invariant } from '../errors.ts';
import { isDamaged, NO_DAMAGE, type DamagedPacks, type DamagedPlaces } from '../log/damage.ts';
import {
  DAMAGED_BIT,
  homeSlot,
  IndexLookup,
  PACK_CONDEMNED,
  PACK_USED,
  SLOT_WORDS,
  type ChunkPlace,
  type SharedIndex,
} from './index-lookup.ts';
import { RECORD_BYTES, type IndexedPack, type IndexSegment } from './segment.ts';

/** Something that tells whether it has a name: a set, or a map by names. */
export interface Names {
  has(name: string): boolean;
}

/** Which chunk is where, over all segments: open addressing in shared memory, no JavaScript object per chunk. */
export class ChunkIndex {
  readonly packs: readonly IndexedPack[];
  readonly shared: SharedIndex;
  readonly size: number;
  private readonly lookup: IndexLookup;

  /** Made by `ChunkIndexBuilder`. */
  constructor(packs: readonly IndexedPack[], shared: SharedIndex, size: number) {
    this.packs = packs;
    this.shared = shared;
    this.size = size;
    this.lookup = new IndexLookup(shared);
  }

  /** Builds the table of these segments: see `ChunkIndexBuilder`. */
  static build(
    segments: readonly IndexSegment[],
    swept: Names,
    condemned: Names = new Set(),
    damage: DamagedPacks = NO_DAMAGE,
  ): ChunkIndex {
    const total = segments.reduce((sum, segment) => sum + segment.records.length / RECORD_BYTES, 0);
    const builder = new ChunkIndexBuilder(total, swept, condemned, damage);
    for (const segment of segments) builder.add(segment);
    return builder.finish();
  }

  has(id: Uint8Array): boolean {
    return this.lookup.find(id) !== -1;
  }

  use(id: Uint8Array): boolean {
    return this.lookup.use(id);
  }

  /** One place of the chunk, one that is not noted as damaged if there is any; undefined when no pack has it. */
  find(id: Uint8Array): ChunkPlace | undefined {
    const at = this.lookup.find(id);
    if (at === -1) return undefined;
    const place = this.lookup.place(at);
    return place.damaged ? this.places(id)[0] : place;
  }

  /** Every place of the chunk; those that are noted as damaged come last. */
  places(id: Uint8Array): ChunkPlace[] {
    const found: ChunkPlace[] = [];
    const damaged: ChunkPlace[] = [];
    for (let at = this.lookup.find(id); at !== -1; at = this.lookup.find(id, at)) {
      const place = this.lookup.place(at);
      (place.damaged ? damaged : found).push(place);
    }
    return [...found, ...damaged];
  }

  /** Names of the packs that this run took chunks from. */
  usedPacks(): string[] {
    const marks = new Uint8Array(this.shared.packMarks);
    const isUsed = (number: number): boolean => ((marks[number] as number) & PACK_USED) !== 0;
    return [...new Set(this.packs.filter((_, number) => isUsed(number)).map((pack) => pack.name))];
  }

  clearUsedPacks(): void {
    const marks = new Uint8Array(this.shared.packMarks);
    for (const [number, mark] of marks.entries()) marks[number] = mark & ~PACK_USED;
  }
}

/** Words of a record of a segment. */
const RECORD_WORDS = RECORD_BYTES / 4;
/** A table grows by half when more was met than was expected. */
const GROWTH = 1.5;

/**
 * Puts a table together segment by segment, so that no more than one of them need be in memory. What several segments say of a
 * pack adds up: none can hide what another lists.
 */
export class ChunkIndexBuilder {
  private readonly swept: Names;
  private readonly condemned: Names;
  private readonly damage: DamagedPacks;
  private readonly packs: IndexedPack[] = [];
  /** What is noted about each of them. */
  private readonly noted: (DamagedPlaces | undefined)[] = [];
  private readonly known = new Map<string, number>();
  private readonly sessions = new Map<string, SessionPublic>();
  private lastSession: { readonly met: SessionPublic; readonly shared: SessionPublic } | undefined;
  private capacity: number;
  private slots: SharedArrayBuffer;
  private words: Uint32Array;
  private size = 0;

  /**
   * @param expected chunks; more may come.
   * @param swept packs that do not exist, whatever a segment says (rule R6).
   * @param condemned packs that are not to be used when another has the chunk.
   * @param damage places that are kept as such.
   */
  constructor(expected: number, swept: Names, condemned: Names, damage: DamagedPacks = NO_DAMAGE) {
    this.swept = swept;
    this.condemned = condemned;
    this.damage = damage;
    this.capacity = expected === 0 ? 0 : Math.ceil((expected * 8) / 7) + 1;
    this.slots = new SharedArrayBuffer(this.capacity * SLOT_WORDS * 4);
    this.words = new Uint32Array(this.slots);
  }

  /** Adds what a segment lists, and returns for each of its packs the number in `ChunkIndex.packs`, −1 for a swept one. */
  add({ packs, records }: IndexSegment): Int32Array {
    const numbers = Int32Array.from(packs, (pack) => this.numberOf(pack));
    const words = littleWords(records);
    for (let at = 0; at < words.length; at += RECORD_WORDS) {
      const number = numbers[words[at + 4] as number];
      invariant(number !== undefined, 'the segment was checked when it was decoded');
      if (number === -1) continue;
      if ((this.size + 1) * 8 > this.capacity * 7) this.grow();
      if (this.insert(words, at, number, this.packs[number] as IndexedPack)) this.size += 1;
    }
    return numbers;
  }

  finish(): ChunkIndex {
    const packMarks = new SharedArrayBuffer(Math.max(1, this.packs.length));
    const marks = new Uint8Array(packMarks);
    for (const [number, { name }] of this.packs.entries()) if (this.condemned.has(name)) marks[number] = PACK_CONDEMNED;
    return new ChunkIndex(this.packs, { slots: this.slots, packMarks }, this.size);
  }

  private numberOf(pack: IndexedPack): number {
    if (this.swept.has(pack.name)) return -1;
    const listed = this.known.get(pack.name);
    if (listed !== undefined && samePack(this.packs[listed] as IndexedPack, pack)) return listed;
    this.packs.push({ ...pack, sessions: pack.sessions.map((session) => this.shareSession(session)) });
    this.noted.push(this.damage.get(pack.name));
    this.known.set(pack.name, this.packs.length - 1);
    return this.packs.length - 1;
  }

  /** All packs of a run name one session: it need be in memory once. */
  private shareSession(session: SessionPublic): SessionPublic {
    // A segment names one object for one session.
    if (session === this.lastSession?.met) return this.lastSession.shared;
    const shared = this.sessionLike(session);
    this.lastSession = { met: session, shared };
    return shared;
  }

  private sessionLike(session: SessionPublic): SessionPublic {
    const name = Buffer.concat([session.sid, session.epk]).toString('latin1');
    const shared = this.sessions.get(name);
    if (shared !== undefined) return shared;
    this.sessions.set(name, session);
    return session;
  }

  private grow(): void {
    const old = this.words;
    this.capacity = Math.ceil(this.capacity * GROWTH) + 16;
    this.slots = new SharedArrayBuffer(this.capacity * SLOT_WORDS * 4);
    this.words = new Uint32Array(this.slots);
    for (let from = 0; from < old.length; from += SLOT_WORDS) {
      if (old[from + 4] === 0) continue;
      let slot = homeSlot(old[from] as number, this.capacity);
      while (this.words[slot * SLOT_WORDS + 4] !== 0) slot = slot + 1 === this.capacity ? 0 : slot + 1;
      this.words.set(old.subarray(from, from + SLOT_WORDS), slot * SLOT_WORDS);
    }
  }

  /** False when the very same place is in the table already. */
  private insert(record: Uint32Array, at: number, pack: number, of: IndexedPack): boolean {
    const { words, capacity } = this;
    const a = record[at] as number;
    const b = record[at + 1] as number;
    const c = record[at + 2] as number;
    const d = record[at + 3] as number;
    const session = (record[at + 8] as number) & 0xffff;
    const type = ((record[at + 8] as number) >>> 16) & 3;
    const offset = of.dataStart + (record[at + 5] as number);
    const middle = ((offset & 0x03ff_ffff) | (session << 26)) >>> 0;
    const noted = this.noted[pack];
    const damaged = noted !== undefined && isDamaged(noted, offset) ? DAMAGED_BIT : 0;
    const last = ((record[at + 6] as number) | (type << 24) | ((session >>> 6) << 26) | damaged) >>> 0;
    let slot = homeSlot(a, capacity);
    let to = slot * SLOT_WORDS;
    while (words[to + 4] !== 0) {
      const samePlace = words[to + 4] === pack + 1 && words[to + 5] === middle && words[to + 6] === last;
      if (samePlace && words[to] === a && words[to + 1] === b && words[to + 2] === c && words[to + 3] === d)
        return false;
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
