/** Words of a slot: the first 16 bytes of an id. */
const WORDS = 4;
const FIRST_SLOTS = 64;

/**
 * A set of ids that are evenly spread (keyed hashes), by their first 16 bytes: 21 to 43 bytes an id, no object each.
 * Grows by doubling.
 */
export class IdSet {
  private words = new Uint32Array(WORDS * FIRST_SLOTS);
  private mask = FIRST_SLOTS - 1;
  private count = 0;

  get size(): number {
    return this.count;
  }

  has(id: Uint8Array): boolean {
    const view = new DataView(id.buffer, id.byteOffset, 16);
    return this.words[this.slot(firstWord(view), view)] !== 0;
  }

  /** True when the id was not in the set before. */
  add(id: Uint8Array): boolean {
    const view = new DataView(id.buffer, id.byteOffset, 16);
    const first = firstWord(view);
    const at = this.slot(first, view);
    if (this.words[at] !== 0) return false;
    this.words[at] = first;
    for (let i = 1; i < WORDS; i++) this.words[at + i] = view.getUint32(4 * i, true);
    this.count += 1;
    if (4 * this.count > 3 * (this.mask + 1)) this.grow();
    return true;
  }

  /** Where the id is, or the free slot where it belongs. */
  private slot(first: number, view: DataView): number {
    const { words, mask } = this;
    const [b, c, d] = [view.getUint32(4, true), view.getUint32(8, true), view.getUint32(12, true)];
    for (let slot = first & mask; ; slot = (slot + 1) & mask) {
      const at = WORDS * slot;
      if (words[at] === 0) return at;
      if (words[at] === first && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return at;
    }
  }

  private grow(): void {
    const old = this.words;
    this.mask = 2 * this.mask + 1;
    this.words = new Uint32Array(WORDS * (this.mask + 1));
    for (let at = 0; at < old.length; at += WORDS) {
      const first = old[at] as number;
      if (first === 0) continue;
      let slot = first & this.mask;
      while (this.words[WORDS * slot] !== 0) slot = (slot + 1) & this.mask;
      this.words.set(old.subarray(at, at + WORDS), WORDS * slot);
    }
  }
}

/** A free slot begins with 0; an id that does so is kept with 1 there: 127 bits still tell ids apart. */
function firstWord(view: DataView): number {
  return view.getUint32(0, true) || 1;
}
