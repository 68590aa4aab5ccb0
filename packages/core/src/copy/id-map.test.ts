import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { toHex } from '../ids.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { IdMap } from './id-map.ts';

const idOf = (seed: number): Uint8Array => pseudoRandomBytes(`id ${seed}`, 32);

describe('IdMap', () => {
  it('agrees with a map', () => {
    const pairs = fc.array(fc.tuple(fc.nat(300), fc.nat()), { maxLength: 3000 });
    fc.assert(
      fc.property(pairs, (given) => {
        const map = new IdMap(10_000);
        const oracle = new Map<number, string>();
        for (const [key, value] of given) {
          map.set(idOf(key), idOf(value));
          oracle.set(key, toHex(idOf(value)));
        }
        expect(map.size).toBe(oracle.size);
        for (let key = 0; key <= 300; key++) {
          const found = map.get(idOf(key));
          expect(found && toHex(found)).toBe(oracle.get(key));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('takes ids that begin with zeros', () => {
    const map = new IdMap(10);
    const zero = new Uint8Array(32);
    expect(map.get(zero)).toBeUndefined();
    map.set(zero, idOf(1));
    expect(toHex(map.get(zero) ?? zero)).toBe(toHex(idOf(1)));
  });

  it('never holds more than it may, and goes on', () => {
    const map = new IdMap(5000);
    for (let i = 0; i < 20_000; i++) {
      map.set(idOf(i), idOf(i + 1));
      expect(map.size).toBeLessThanOrEqual(5000);
    }
    expect(toHex(map.get(idOf(19_999)) ?? new Uint8Array())).toBe(toHex(idOf(20_000)));
  });
});
