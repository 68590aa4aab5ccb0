import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { SlotIndex } from './slot-index.ts';

describe('SlotIndex', () => {
  it('finds what is in it and nothing else, also where all hashes are nearly the same', () => {
    const step = fc.record({ slot: fc.nat(200), removes: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), fc.integer({ min: 1, max: 64 }), (steps, spread) => {
        const hashOf = (slot: number): number => (slot % spread) * 61;
        const index = new SlotIndex(hashOf);
        const there = new Set<number>();
        for (const { slot, removes } of steps) {
          if (there.has(slot) !== removes) continue;
          if (removes) {
            index.remove(slot);
            there.delete(slot);
          } else {
            index.add(slot);
            there.add(slot);
          }
        }
        for (let slot = 0; slot <= 200; slot++) {
          const found = index.find(hashOf(slot), (one) => one === slot);
          expect(found).toBe(there.has(slot) ? slot : undefined);
        }
      }),
      { numRuns: 100 },
    );
  });
});
