import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LinkTable } from './link-table.ts';

describe('LinkTable', () => {
  it('counts names and keeps nodes by group and inode, of any size', () => {
    const link = fc.record({
      link: fc.oneof(fc.nat(3), fc.constantFrom(2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1)),
      inode: fc.oneof(fc.bigInt(0n, 40n), fc.constantFrom(2n ** 32n, 2n ** 32n + 1n, 2n ** 64n - 1n)),
    });
    fc.assert(
      fc.property(fc.array(link, { maxLength: 500 }), (names) => {
        const table = new LinkTable();
        const counts = new Map<string, number>();
        const key = (one: (typeof names)[number]): string => `${one.link}:${one.inode}`;
        for (const [i, name] of names.entries()) {
          table.add(name);
          counts.set(key(name), (counts.get(key(name)) ?? 0) + 1);
          if (table.ordinal(name) === undefined) {
            expect(counts.get(key(name))).toBe(1);
            table.setOrdinal(name, i);
          }
        }
        for (const name of names) {
          expect(table.count(name)).toBe(counts.get(key(name)));
          expect(table.ordinal(name)).toBe(names.findIndex((other) => key(other) === key(name)));
        }
        table.clearCounts();
        for (const name of names) expect(table.count(name)).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
