import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { IndexLookup } from '../index/index-lookup.ts';
import type { Survey } from './survey.ts';

/** Copies of one chunk that are compared with each other: more exist only if somebody lists what is not there. */
const MOST_COPIES = 16;

/** Sealed bytes of the packs of an index, by their position in it. */
export interface PackSums {
  /** Of chunks that archives refer to. */
  readonly live: Float64Array;
  /** Of chunks that none refers to. */
  readonly dead: Float64Array;
  /** The part of `live` of which a pack that stays has another copy, sealed by the same run. */
  readonly spare: Float64Array;
}

/** A slot of an index that is taken. */
interface Slot {
  readonly index: ChunkIndex;
  readonly lookup: IndexLookup;
  readonly at: number;
}

/** Whether two slots say that they hold the same sealed bytes: the same run sealed them, and they are as long. */
function isTwin(a: Slot, b: Slot): boolean {
  return (
    a.lookup.typeAt(a.at) === b.lookup.typeAt(b.at) &&
    a.lookup.storedLengthAt(a.at) === b.lookup.storedLengthAt(b.at) &&
    isSameSession(sessionOf(a), sessionOf(b))
  );
}

function sessionOf({ index, lookup, at }: Slot): SessionPublic | undefined {
  return index.packs[lookup.packAt(at)]?.sessions[lookup.sessionAt(at)];
}

export function isSameSession(a: SessionPublic | undefined, b: SessionPublic | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return a === b || (Buffer.compare(a.sid, b.sid) === 0 && Buffer.compare(a.epk, b.epk) === 0);
}

/**
 * Adds up what each pack holds.
 * @param stays whether a pack, by its position, is there and not condemned: only copies in such packs count.
 */
export function sumPacks(survey: Survey, stays: (pack: number) => boolean): PackSums {
  const { index, live: marks } = survey;
  const { lookup } = marks;
  const count = index.packs.length;
  const live = new Float64Array(count);
  const dead = new Float64Array(count);
  const spare = new Float64Array(count);
  for (let at = lookup.nextTaken(); at !== -1; at = lookup.nextTaken(at)) {
    const sums = marks.isLiveAt(at) ? live : dead;
    sums[lookup.packAt(at)] = (sums[lookup.packAt(at)] as number) + lookup.storedLengthAt(at);
  }
  const deadShare = (pack: number): number =>
    (dead[pack] as number) / ((live[pack] as number) + (dead[pack] as number));
  /** Of two copies the one is kept whose pack has less to give up; the name decides between equals, for every collector alike. */
  const isBetter = (a: number, b: number): boolean => {
    const [one, other] = [deadShare(a), deadShare(b)];
    return one < other || (one === other && (index.packs[a]?.name ?? '') < (index.packs[b]?.name ?? ''));
  };
  for (let at = lookup.nextTaken(); at !== -1; at = lookup.nextTaken(at)) {
    if (!marks.isLiveAt(at) || lookup.nextSame(at) === -1 || lookup.firstSame(at) !== at) continue;
    const copies = copiesFrom(survey, at).filter((copy) => stays(lookup.packAt(copy)));
    for (const copy of copies) {
      const pack = lookup.packAt(copy);
      const isSpare = copies.some((other) => {
        const holder = lookup.packAt(other);
        if (holder === pack || !isBetter(holder, pack)) return false;
        return isTwin({ index, lookup, at: copy }, { index, lookup, at: other });
      });
      if (isSpare) spare[pack] = (spare[pack] as number) + lookup.storedLengthAt(copy);
    }
  }
  return { live, dead, spare };
}

function copiesFrom({ live: { lookup } }: Survey, first: number): number[] {
  const copies: number[] = [];
  for (let at = first; at !== -1 && copies.length < MOST_COPIES; at = lookup.nextSame(at)) copies.push(at);
  return copies;
}

/**
 * Condemned packs that hold what an archive needs and no pack that stays has: whoever committed since left them out of its
 * rescue, or whoever condemned them was wrong.
 */
export function endangeredPacks(survey: Survey, isCondemned: (pack: string) => boolean): Set<string> {
  const { index, live: marks } = survey;
  const { lookup } = marks;
  const condemned = Uint8Array.from(index.packs, ({ name }, pack) =>
    survey.isPresent(pack) && isCondemned(name) ? 1 : 0,
  );
  const endangered = new Set<string>();
  for (let at = lookup.nextTaken(); at !== -1; at = lookup.nextTaken(at)) {
    const pack = lookup.packAt(at);
    if (condemned[pack] === 0 || !marks.isLiveAt(at)) continue;
    const name = index.packs[pack]?.name ?? '';
    if (!endangered.has(name) && !isHeldElsewhere(survey, at, isCondemned)) endangered.add(name);
  }
  return endangered;
}

/** Whether a pack that stays has the same sealed chunk, also one that turned up after the index was read. */
function isHeldElsewhere(survey: Survey, at: number, isCondemned: (pack: string) => boolean): boolean {
  const slot = { index: survey.index, lookup: survey.live.lookup, at };
  const half = slot.lookup.halfIdAt(at);
  for (const index of survey.indexes) {
    const lookup = new IndexLookup(index.shared);
    let copies = 0;
    for (let other = lookup.find(half); other !== -1 && copies < MOST_COPIES; other = lookup.find(half, other)) {
      copies += 1;
      const pack = lookup.packAt(other);
      const stays = !isCondemned(index.packs[pack]?.name ?? '') && (index !== survey.index || survey.isPresent(pack));
      if (stays && isTwin(slot, { index, lookup, at: other })) return true;
    }
  }
  return false;
}
