/** Share of the cells above which an index grows: beyond it, searches get long. */
const MOST_LOAD = 0.6;
const FIRST_CELLS = 64;

/**
 * Finds the slots of a table by what they hold: a hash table of nothing but numbers, with open addressing. For tables of a million
 * things that a `Map` would give half a kilobyte each.
 */
export class SlotIndex {
  private readonly hashOf: (slot: number) => number;
  /** Slot + 1; 0 is free. The length is a power of two. */
  private cells = new Uint32Array(FIRST_CELLS);
  private used = 0;

  /** @param hashOf a 32-bit number for what a slot holds. */
  constructor(hashOf: (slot: number) => number) {
    this.hashOf = hashOf;
  }

  /** The slot under that hash for which `is` holds. */
  find(hash: number, is: (slot: number) => boolean): number | undefined {
    const mask = this.cells.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const cell = this.cells[at] as number;
      if (cell === 0) return undefined;
      if (is(cell - 1)) return cell - 1;
    }
  }

  /** Adds a slot that is not in it, by what it holds now. */
  add(slot: number): void {
    this.used += 1;
    if (this.used > this.cells.length * MOST_LOAD) this.grow();
    this.put(slot);
  }

  /** Takes away a slot that is in it and still holds what it was added by. */
  remove(slot: number): void {
    const { cells } = this;
    const mask = cells.length - 1;
    let gap = this.hashOf(slot) & mask;
    while (cells[gap] !== slot + 1) gap = (gap + 1) & mask;
    // What follows may have been put there only because the gap was taken (Knuth, TAOCP 6.4, algorithm R).
    for (let at = (gap + 1) & mask; cells[at] !== 0; at = (at + 1) & mask) {
      const cell = cells[at] as number;
      const home = this.hashOf(cell - 1) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      cells[gap] = cell;
      gap = at;
    }
    cells[gap] = 0;
    this.used -= 1;
  }

  private put(slot: number): void {
    const mask = this.cells.length - 1;
    let at = this.hashOf(slot) & mask;
    while (this.cells[at] !== 0) at = (at + 1) & mask;
    this.cells[at] = slot + 1;
  }

  private grow(): void {
    const before = this.cells;
    this.cells = new Uint32Array(2 * before.length);
    for (const cell of before) if (cell !== 0) this.put(cell - 1);
  }
}

/** Mixes two numbers into 32 bits: neighbours end up far from each other. */
export function mixed(a: number, b: number): number {
  // Factors of MurmurHash3's finalizer.
  let hash = Math.imul(a ^ Math.imul(b, 0x85eb_ca6b), 0xc2b2_ae35);
  hash ^= hash >>> 15;
  return Math.imul(hash, 0x85eb_ca6b) ^ (hash >>> 13);
}
