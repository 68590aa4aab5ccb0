import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ENTRY_KIND } from '../tree/entry.ts';
import { LinkTable, type LinkedFile } from './link-table.ts';

const file = (path: string): LinkedFile => ({ path, device: 2 ** 40 + 5, inode: 2n ** 64n - 1n });

describe('LinkTable', () => {
  it('finds what was made and nothing else', () => {
    const key = fc.record({
      group: fc.nat({ max: 3 }),
      inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      kind: fc.constantFrom(ENTRY_KIND.file, ENTRY_KIND.symlink),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { selector: (k) => `${k.group} ${k.inode} ${k.kind}` }),
        fc.nat(),
        (keys, cut) => {
          const table = new LinkTable();
          const made = keys.slice(0, cut % (keys.length + 1));
          for (const [i, k] of made.entries()) table.made(k, file(`directory ${i}/\xff`));
          for (const [i, k] of keys.entries()) {
            expect(table.find(k)).toEqual(i < made.length ? file(`directory ${i}/\xff`) : undefined);
            expect(table.has(k)).toBe(i < made.length);
          }
        },
      ),
    );
  });

  it('keeps many, also with inodes that have much in common', () => {
    const table = new LinkTable();
    const keyAt = (i: number) => ({ group: 0, inode: BigInt(i) << 12n, kind: ENTRY_KIND.file });
    for (let i = 0; i < 20_000; i++) table.made(keyAt(i), file(`f${i}`));
    for (let i = 0; i < 20_000; i++) expect(table.find(keyAt(i))?.path).toBe(`f${i}`);
    expect(table.find(keyAt(20_000))).toBeUndefined();
  });

  it('knows what is announced until it is made or given up', () => {
    const table = new LinkTable();
    const key = { group: 1, inode: 2n, kind: ENTRY_KIND.file };
    table.begin(key);
    expect([table.has(key), table.find(key)]).toEqual([true, undefined]);
    table.forget(key);
    expect(table.has(key)).toBe(false);
    table.begin(key);
    table.made(key, file('x'));
    table.forget(key);
    expect(table.find(key)).toEqual(file('x'));
  });
});
