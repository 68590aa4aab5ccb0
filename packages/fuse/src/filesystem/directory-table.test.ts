import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { DirectoryTable, type KnownDirectory } from './directory-table.ts';
import type { MountedArchive } from './mounted-archive.ts';
import { directoryNode } from './nodes.ts';

/** The table asks nothing of archives. */
const ARCHIVES = ['a', 'b'].map((name) => ({ name }) as unknown as MountedArchive);

/** A directory as an object that holds the others: what the table does without objects. */
interface Model {
  readonly number: number;
  readonly parent: Model | undefined;
  readonly ordinal: number;
  readonly children: Map<number, Model>;
  lookups: number;
}

class ModelTable {
  readonly known = new Map<number, Model>();

  forget(directory: Model, count: number): void {
    if (directory.parent === undefined) return;
    directory.lookups = Math.max(0, directory.lookups - count);
    if (directory.lookups === 0) {
      for (const child of directory.children.values()) {
        if (child.lookups === 0 && child.children.size === 0) this.drop(child);
      }
    }
    for (
      let at: Model = directory;
      at.lookups === 0 && at.children.size === 0 && at.parent !== undefined;
      at = at.parent
    )
      this.drop(at);
  }

  private drop({ number, ordinal, parent }: Model): void {
    this.known.delete(number);
    parent?.children.delete(ordinal);
  }
}

type Step = { readonly parent: number; readonly ordinal: number; readonly looks: number; readonly forgets: number };

const step: fc.Arbitrary<Step> = fc.record({
  parent: fc.nat(1_000),
  ordinal: fc.nat(12),
  looks: fc.nat(2),
  forgets: fc.nat(3),
});

describe('DirectoryTable', () => {
  it('knows what objects that hold each other would know, whatever is looked up and forgotten', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 400 }), (steps) => {
        const table = new DirectoryTable();
        const model = new ModelTable();
        for (const archive of ARCHIVES) {
          const { number } = table.addRoot(archive, table.takeNumber(), 1);
          model.known.set(number, { number, parent: undefined, ordinal: 0, children: new Map(), lookups: 1 });
        }
        const given = new Set<number>(model.known.keys());
        for (const { parent: which, ordinal, looks, forgets } of steps) {
          const parent = [...model.known.values()][which % model.known.size] as Model;
          const child = table.child(table.find(parent.number) as KnownDirectory, ordinal);
          const before = parent.children.get(ordinal);
          expect(before?.number ?? child.number).toBe(child.number);
          if (before === undefined) expect(given.has(child.number)).toBe(false);
          given.add(child.number);
          const made = before ?? { number: child.number, parent, ordinal, children: new Map(), lookups: 0 };
          parent.children.set(ordinal, made);
          model.known.set(made.number, made);
          for (let i = 0; i < looks; i++) child.look();
          made.lookups += looks;
          if (forgets === 0) continue;
          const forgotten = [...model.known.values()][(which * 7) % model.known.size] as Model;
          table.forget(forgotten.number, forgets);
          model.forget(forgotten, forgets);
        }
        expect(table.size).toBe(model.known.size);
        for (const number of given) {
          const found = table.find(number);
          const expected = model.known.get(number);
          expect(found?.ordinal === undefined).toBe(expected === undefined);
          if (found === undefined || expected?.parent === undefined) continue;
          expect([found.number, found.ordinal, found.parent?.number]).toEqual([
            number,
            expected.ordinal,
            expected.parent.number,
          ]);
          expect(found.parentNode).toBe(directoryNode(expected.parent.number));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('tells who still has a directory that was forgotten that it leads nowhere', () => {
    const table = new DirectoryTable();
    const root = table.addRoot(ARCHIVES[0] as MountedArchive, table.takeNumber(), 1);
    const above = table.child(root, 0);
    const below = table.child(above, 3);
    expect(below.archive).toBe(ARCHIVES[0]);
    below.look();
    table.forget(below.number, 1);
    expect(table.size).toBe(1);
    expect(() => below.parent).toThrow('ESTALE');
    expect(() => table.child(below, 0)).toThrow('ESTALE');
    expect(table.find(below.number)).toBeUndefined();
    expect(table.child(root, 0).number).toBeGreaterThan(below.number);
  });

  it('takes no object for a directory, only some dozen bytes', () => {
    const table = new DirectoryTable();
    const root = table.addRoot(ARCHIVES[0] as MountedArchive, table.takeNumber(), 1);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 200; i++) {
      const parent = table.child(root, i);
      parent.look();
      for (let ordinal = 0; ordinal < 1_000; ordinal++) table.child(parent, ordinal).look();
    }
    expect(table.size).toBe(200_201);
    // 2^18 slots of 32 bytes, and two indexes of 2^19 cells; twice that, because what they were before may not be collected yet.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * (2 ** 18 * 32 + 2 * 2 ** 19 * 4));
  });
});
