import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LIMITS } from '../limits.ts';
import { padmeLength } from './padme.ts';

/** As the paper says it, in whole numbers only. */
function byTheBook(length: number): number {
  if (length < 2) return length;
  const exponent = length.toString(2).length - 1;
  const kept = exponent.toString(2).length;
  const zeros = BigInt(Math.max(0, exponent - kept));
  const mask = (1n << zeros) - 1n;
  return Number((BigInt(length) + mask) & ~mask);
}

describe('Padmé', () => {
  it('pads as the paper says', () => {
    for (let length = 0; length < 10_000; length++) expect(padmeLength(length), `${length}`).toBe(byTheBook(length));
    for (let exponent = 1; exponent < 50; exponent++) {
      for (const off of [-1, 0, 1]) expect(padmeLength(2 ** exponent + off)).toBe(byTheBook(2 ** exponent + off));
    }
    fc.assert(
      fc.property(fc.nat(LIMITS.packBytes), (length) => {
        expect(padmeLength(length)).toBe(byTheBook(length));
      }),
    );
  });

  it('adds at most 12 %, gives few lengths, and never fewer bytes', () => {
    const lengths = new Set<number>();
    const bad: number[] = [];
    let before = 0;
    for (let length = 1; length < 1 << 20; length += 7) {
      const padded = padmeLength(length);
      if (padded < Math.max(length, before) || padded > length * 1.12 || padmeLength(padded) !== padded)
        bad.push(length);
      lengths.add(padded);
      before = padded;
    }
    expect(bad).toEqual([]);
    expect(lengths.size).toBeLessThan(400);
  });
});
