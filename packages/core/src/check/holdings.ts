import type { ChunkType } from '../crypto/chunk-crypto.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { IndexLookup, type ChunkPlace } from '../index/index-lookup.ts';

/** What is known of a pack; bits. */
export const PACK_STATE = {
  sound: 0,
  /** Not in the store. */
  absent: 1,
  /** Damaged, and not known where: each chunk must be tried. */
  suspect: 2,
  /** Some of its chunks are known to be damaged. */
  damagedChunks: 4,
  /** Going to be removed. */
  condemned: 8,
} as const;

/**
 * Whether a chunk can be had: `sound`; `condemned`: only from packs that go; `suspect`: only by trying; `damaged`: in no copy;
 * `missing`: there is none.
 */
export type ChunkJudgement = 'sound' | 'condemned' | 'suspect' | 'damaged' | 'missing';

/** The better of two is the one further ahead. */
const PREFERENCE: readonly ChunkJudgement[] = ['sound', 'condemned', 'suspect', 'damaged', 'missing'];

/** What a check found out about packs, by name. It outlives a reloaded index. */
export class PackMarks {
  readonly suspect = new Set<string>();
  /** Where in a pack damaged chunks are, from the start of the object. */
  readonly damaged = new Map<string, ReadonlySet<number>>();
  /** Packs that were read wholly: of these, more is known than the log noted. */
  readonly read = new Set<string>();
}

/** An index together with what is known of the packs that it lists. */
export class Holdings {
  readonly index: ChunkIndex;
  private readonly lookup: IndexLookup;
  private readonly states: Uint8Array;
  private readonly marks: PackMarks;

  /** @param stateOf state of a pack before anything of it was read. */
  constructor(index: ChunkIndex, marks: PackMarks, stateOf: (name: string) => number) {
    this.index = index;
    this.lookup = new IndexLookup(index.shared);
    this.marks = marks;
    this.states = Uint8Array.from(index.packs, ({ name }) => stateOf(name));
    this.applyMarks();
  }

  /** Takes over what was found out since. */
  applyMarks(): void {
    this.index.packs.forEach(({ name }, number) => {
      if (this.marks.suspect.has(name)) this.setState(number, PACK_STATE.suspect);
      if (this.marks.damaged.has(name)) this.setState(number, PACK_STATE.damagedChunks);
    });
  }

  private setState(number: number, bit: number): void {
    this.states[number] = (this.states[number] as number) | bit;
  }

  judge(type: ChunkType, id: Uint8Array): ChunkJudgement {
    let best: ChunkJudgement = 'missing';
    for (let at = this.lookup.find(id); at !== -1; at = this.lookup.find(id, at)) {
      const place = this.lookup.place(at);
      if (place.type !== type) continue;
      const judgement = this.judgePlace(place);
      if (judgement === 'sound') return judgement;
      if (PREFERENCE.indexOf(judgement) < PREFERENCE.indexOf(best)) best = judgement;
    }
    return best;
  }

  /** Name of a pack that the chunk is, or should be, in. */
  holder(id: Uint8Array): string | undefined {
    const place = this.index.find(id);
    return place && this.index.packs[place.pack]?.name;
  }

  private judgePlace({ pack, offset, damaged }: ChunkPlace): ChunkJudgement {
    const state = this.states[pack] as number;
    if (state === PACK_STATE.sound && !damaged) return 'sound';
    if ((state & PACK_STATE.absent) !== 0) return 'missing';
    if ((state & PACK_STATE.suspect) !== 0) return 'suspect';
    const name = this.index.packs[pack]?.name ?? '';
    if (damaged && !this.marks.read.has(name)) return 'suspect';
    if ((state & PACK_STATE.damagedChunks) !== 0 && this.marks.damaged.get(name)?.has(offset) === true)
      return 'damaged';
    return (state & PACK_STATE.condemned) === 0 ? 'sound' : 'condemned';
  }
}
