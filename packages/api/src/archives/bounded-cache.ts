interface Kept<T> {
  readonly value: T;
  readonly bytes: number;
}

/**
 * Keeps what takes time to make, the least recently used going first. Whoever asks for what is being made gets the same; what
 * failed is not kept.
 */
export class BoundedCache<T> {
  private readonly mostBytes: number;
  private readonly kept = new Map<string, Kept<T>>();
  private readonly making = new Map<string, Promise<T>>();
  private bytes = 0;

  /** @param mostBytes of all that is kept, as `bytesOf` of the calls counts. */
  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  /** Rejects as `make` does. */
  async get(key: string, make: () => Promise<T>, bytesOf: (value: T) => number): Promise<T> {
    const found = this.kept.get(key);
    if (found !== undefined) {
      this.kept.delete(key);
      this.kept.set(key, found);
      return found.value;
    }
    const underWay = this.making.get(key);
    if (underWay !== undefined) return await underWay;
    const made = make();
    this.making.set(key, made);
    try {
      const value = await made;
      this.keep(key, { value, bytes: bytesOf(value) });
      return value;
    } finally {
      this.making.delete(key);
    }
  }

  /** One that is larger than all may be is kept until the next comes. */
  private keep(key: string, one: Kept<T>): void {
    this.kept.set(key, one);
    this.bytes += one.bytes;
    for (const [oldest, { bytes }] of this.kept) {
      if (this.bytes <= this.mostBytes || oldest === key) return;
      this.kept.delete(oldest);
      this.bytes -= bytes;
    }
  }
}
