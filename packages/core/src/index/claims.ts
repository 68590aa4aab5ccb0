/**
 * The chunks that a run is about to store: a set of half ids in shared memory, so that of several threads that meet the same
 * content exactly one stores it. Grows by levels, each four times the last: nothing is moved, so growing needs no pause.
 */
const WORDS = 4;
const FIRST_LEVEL = 1 << 14;
/** 67 million chunks, 1.4 GB; Node reserves no more than 4 GiB. Beyond that content that repeats is stored again. */
const LEVELS = 7;
const GROWTH = 4;
/** A level is left when three quarters of it are taken. */
const LOAD = 0.75;

/** Header words: lock, level in use, entries in that level. */
const LOCK = 0;
const LEVEL = 1;
const COUNT = 2;
const HEADER_WORDS = 16;

function levelStart(level: number): number {
  return HEADER_WORDS + (WORDS * FIRST_LEVEL * (GROWTH ** level - 1)) / (GROWTH - 1);
}

interface GrowableShared extends SharedArrayBuffer {
  grow(bytes: number): void;
}

/** Shared memory for a `Claims` of any thread. Reserves address space, not memory. */
export function makeClaimsMemory(): SharedArrayBuffer {
  const Growable = SharedArrayBuffer as unknown as new (
    bytes: number,
    options: { maxByteLength: number },
  ) => SharedArrayBuffer;
  return new Growable(4 * levelStart(1), { maxByteLength: 4 * levelStart(LEVELS) });
}

export class Claims {
  private readonly memory: SharedArrayBuffer;
  private readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
  }

  /** True for the one caller, of all threads, that met this id first. */
  claim(id: Uint8Array): boolean {
    this.lock();
    try {
      return this.insert(id);
    } finally {
      Atomics.store(this.words, LOCK, 0);
      Atomics.notify(this.words, LOCK, 1);
    }
  }

  private lock(): void {
    while (Atomics.compareExchange(this.words, LOCK, 0, 1) !== 0) Atomics.wait(this.words, LOCK, 1, 1);
  }

  private insert(id: Uint8Array): boolean {
    const { words } = this;
    const view = new DataView(id.buffer, id.byteOffset, 16);
    // A free slot is all zero; an id that begins with a zero word is remembered with 1 there.
    const a = view.getInt32(0, true) || 1;
    const b = view.getInt32(4, true);
    const c = view.getInt32(8, true);
    const d = view.getInt32(12, true);
    const top = words[LEVEL] as number;
    let free = 0;
    for (let level = 0; level <= top; level++) {
      const capacity = FIRST_LEVEL * GROWTH ** level;
      const start = levelStart(level);
      let slot = (a >>> 0) & (capacity - 1);
      for (;;) {
        const at = start + WORDS * slot;
        if (words[at] === 0) {
          free = at;
          break;
        }
        if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return false;
        slot = (slot + 1) & (capacity - 1);
      }
    }
    if (top === LEVELS - 1 && (words[COUNT] as number) > LOAD * FIRST_LEVEL * GROWTH ** top) return true;
    words[free] = a;
    words[free + 1] = b;
    words[free + 2] = c;
    words[free + 3] = d;
    words[COUNT] = (words[COUNT] as number) + 1;
    if (top < LEVELS - 1 && (words[COUNT] as number) > LOAD * FIRST_LEVEL * GROWTH ** top) this.addLevel(top + 1);
    return true;
  }

  private addLevel(level: number): void {
    (this.memory as GrowableShared).grow(4 * levelStart(level + 1));
    this.words[LEVEL] = level;
    this.words[COUNT] = 0;
  }
}
