/** Bytes of a key that is kept: half an id, as everywhere in memory. */
const KEY_WORDS = 4;
const VALUE_BYTES = 32;
const FIRST_SLOTS = 1024;

/**
 * Chunk ids of one repository by those of another. Open addressing, no object for each; grows by doubling up to `most` entries
 * (64 bytes each at the least load) and then begins anew: what is not found is opened once more, which costs time only.
 */
export class IdMap {
  private readonly most: number;
  private keys = new Uint32Array(KEY_WORDS * FIRST_SLOTS);
  private values = new Uint8Array(VALUE_BYTES * FIRST_SLOTS);
  private mask = FIRST_SLOTS - 1;
  private count = 0;

  constructor(most: number) {
    this.most = most;
  }

  get size(): number {
    return this.count;
  }

  /** A copy of the other id, or undefined. */
  get(id: Uint8Array): Uint8Array | undefined {
    const slot = this.slotOf(halfOf(id));
    if (this.isFree(slot)) return undefined;
    return this.values.slice(VALUE_BYTES * slot, VALUE_BYTES * (slot + 1));
  }

  set(id: Uint8Array, other: Uint8Array): void {
    const half = halfOf(id);
    const slot = this.slotOf(half);
    if (this.isFree(slot)) this.count += 1;
    this.keys.set(half, KEY_WORDS * slot);
    this.values.set(other, VALUE_BYTES * slot);
    if (this.count > this.most) this.resize(FIRST_SLOTS, false);
    else if (4 * this.count > 3 * (this.mask + 1)) this.resize(2 * (this.mask + 1), true);
  }

  private isFree(slot: number): boolean {
    return this.keys[KEY_WORDS * slot] === 0;
  }

  /** Where the id is, or the free slot where it belongs. */
  private slotOf(half: Uint32Array): number {
    const { keys, mask } = this;
    for (let slot = (half[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const at = KEY_WORDS * slot;
      if (keys[at] === 0) return slot;
      if (half.every((word, i) => keys[at + i] === word)) return slot;
    }
  }

  private resize(slots: number, keep: boolean): void {
    const { keys, values } = this;
    this.keys = new Uint32Array(KEY_WORDS * slots);
    this.values = new Uint8Array(VALUE_BYTES * slots);
    this.mask = slots - 1;
    this.count = 0;
    if (!keep) return;
    for (let slot = 0; KEY_WORDS * slot < keys.length; slot++) {
      const half = keys.subarray(KEY_WORDS * slot, KEY_WORDS * (slot + 1));
      if (half[0] === 0) continue;
      const to = this.slotOf(half);
      this.keys.set(half, KEY_WORDS * to);
      this.values.set(values.subarray(VALUE_BYTES * slot, VALUE_BYTES * (slot + 1)), VALUE_BYTES * to);
      this.count += 1;
    }
  }
}

/** Four words; the first is never 0, which marks a free slot. */
function halfOf(id: Uint8Array): Uint32Array {
  const view = new DataView(id.buffer, id.byteOffset, 16);
  return Uint32Array.of(
    view.getUint32(0, true) || 1,
    view.getUint32(4, true),
    view.getUint32(8, true),
    view.getUint32(12, true),
  );
}
