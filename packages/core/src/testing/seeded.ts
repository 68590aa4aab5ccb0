import { createCipheriv, createHash, type Cipher } from 'node:crypto';

/** Choices that are the same for the same seed: the AES-128-CTR key stream of its hash. */
export class Seeded {
  private readonly stream: Cipher;

  constructor(seed: string) {
    const key = createHash('sha256').update(seed).digest().subarray(0, 16);
    this.stream = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  }

  bytes(length: number): Uint8Array {
    return new Uint8Array(this.stream.update(Buffer.alloc(length)));
  }

  /** A whole number from 0 to `bound` − 1. */
  below(bound: number): number {
    return Math.floor((this.stream.update(Buffer.alloc(4)).readUInt32LE() / 2 ** 32) * bound);
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return this.below(1 << 20) < probability * (1 << 20);
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Some of the items, in their order; at least one unless there is none. */
  someOf<T>(items: readonly T[]): T[] {
    const some = items.filter(() => this.chance(0.5));
    return some.length > 0 || items.length === 0 ? some : [this.oneOf(items)];
  }
}
