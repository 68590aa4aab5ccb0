import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdSet } from './id-set.ts';

const anId = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('IdSet', () => {
  it('agrees with a set of hex strings, over growth', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            anId,
            fc.nat(3).map((n) => new Uint8Array(32).fill(n)),
          ),
          { maxLength: 400 },
        ),
        (ids) => {
          const set = new IdSet();
          const oracle = new Set<string>();
          for (const id of ids) {
            // Ids that begin with four zero bytes and with 1 and three zero bytes count as one; see `firstWord`.
            const name = Buffer.from(id)
              .toString('hex', 0, 16)
              .replace(/^00000000/, '01000000');
            expect(set.has(id)).toBe(oracle.has(name));
            expect(set.add(id)).toBe(!oracle.has(name));
            oracle.add(name);
          }
          expect(set.size).toBe(oracle.size);
        },
      ),
    );
  });

  it('holds the all-zero id', () => {
    const set = new IdSet();
    expect(set.has(new Uint8Array(32))).toBe(false);
    expect(set.add(new Uint8Array(32))).toBe(true);
    expect(set.has(new Uint8Array(32))).toBe(true);
  });

  it('keeps every id when thousands share their low bits', () => {
    const set = new IdSet();
    const id = (n: number): Uint8Array => {
      const bytes = Buffer.alloc(32);
      bytes.writeUInt32LE(n, 4);
      return bytes;
    };
    for (let n = 0; n < 5_000; n++) expect(set.add(id(n))).toBe(true);
    for (let n = 0; n < 5_000; n++) expect(set.has(id(n))).toBe(true);
    expect(set.has(id(5_000))).toBe(false);
  });
});
