import type { Release } from '../host/memory.ts';

/** A chunk that is not kept any more. */
interface Spent {
  readonly bytes: Uint8Array;
  /** Number of the first read that began after it was let go, and so cannot have a part of it. */
  readonly before: number;
}

/**
 * Frees the memory of chunks that a cache let go, once no read that may have a part of them is under way. The collector comes to
 * them late: a mount that reads a large file would hold 40 MB of chunks that nobody can reach.
 */
export class SpentChunks {
  private readonly release: Release;
  private readonly spent: Spent[] = [];
  /** Reads under way by number, the oldest first. */
  private readonly reads = new Set<number>();
  private nextRead = 1;
  private isDue = false;

  constructor(release: Release) {
    this.release = release;
  }

  add(bytes: Uint8Array): void {
    this.spent.push({ bytes, before: this.nextRead });
    this.free();
  }

  /**
   * Does what reads chunks. What it gives of them may be used until the program waits for anything but promises that are settled: it
   * can be written somewhere at once, and not kept. Rejects as `work` does.
   */
  async reading<T>(work: () => Promise<T>): Promise<T> {
    const read = this.nextRead++;
    this.reads.add(read);
    try {
      return await work();
    } finally {
      this.reads.delete(read);
      this.free();
    }
  }

  /** After everything that follows at once from a read that ended. */
  private free(): void {
    if (this.isDue || this.spent.length === 0) return;
    this.isDue = true;
    setImmediate(() => {
      this.isDue = false;
      const [oldest = this.nextRead] = this.reads;
      let count = 0;
      for (const { bytes, before } of this.spent) {
        if (before > oldest) break;
        this.release(bytes);
        count += 1;
      }
      this.spent.splice(0, count);
    });
  }
}
