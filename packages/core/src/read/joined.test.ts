import { describe, expect, it } from 'vitest';

import { joined, ownMemory } from './joined.ts';

describe('joined', () => {
  it('gives all bytes in order, in memory that may move', () => {
    const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
    const all = joined(parts);
    expect([...all]).toEqual([1, 2, 3]);
    expect(all.buffer).toBeInstanceOf(ArrayBuffer);
    expect(parts.some(({ buffer }) => buffer === all.buffer)).toBe(false);
    expect(joined([])).toHaveLength(0);
  });

  it('does not copy one part that is all of its memory, or lies behind a short header', () => {
    const whole = new Uint8Array(20_000);
    expect(joined([whole]).buffer).toBe(whole.buffer);
    const behind = whole.subarray(5);
    const given = joined([behind]);
    expect([given.buffer === whole.buffer, given.byteOffset, given.length]).toEqual([true, 5, 19_995]);
    // Less than this may be a piece of the memory that Node gives out in pieces.
    const pooled = new Uint8Array(8192).subarray(5);
    expect(joined([pooled]).buffer).not.toBe(pooled.buffer);
  });
});

describe('the memory of a part', () => {
  it('is never its own when others lie in it, however small they are', () => {
    for (const sizes of [
      [20_000, 1],
      [1, 20_000],
      [40, 20_000, 10],
      [30_000, 0],
    ]) {
      const all = joined(sizes.map((size) => new Uint8Array(size)));
      let at = 0;
      for (const size of sizes) {
        expect(ownMemory(all.subarray(at, at + size))).toBeUndefined();
        at += size;
      }
    }
    const own = new Uint8Array(20_000);
    expect(ownMemory(own)).toBe(own.buffer);
    structuredClone(null, { transfer: [own.buffer] });
    expect(ownMemory(own)).toBeUndefined();
  });
});
