import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { VirtualTime } from '../testing/virtual-time.ts';
import { inOrder } from './in-order.ts';

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

describe('inOrder', () => {
  it('gives results in order, whatever takes how long, and keeps to its bounds', async () => {
    const item = fc.record({ ms: fc.nat(50), cost: fc.nat(10) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(item),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 20 }),
        async (items, width, most) => {
          const time = new VirtualTime();
          const going = { count: 0, cost: 0 };
          const work = async (i: number): Promise<number> => {
            const { ms, cost } = items[i] ?? { ms: 0, cost: 0 };
            going.count += 1;
            going.cost += cost;
            expect(going.count).toBeLessThanOrEqual(width);
            expect(going.count === 1 || going.cost <= most).toBe(true);
            await time.wait(ms);
            going.count -= 1;
            going.cost -= cost;
            return i;
          };
          const costOf = (i: number): number => items[i]?.cost ?? 0;
          const results = await all(inOrder(items.keys(), { width, most }, work, costOf));
          expect(results).toEqual([...items.keys()]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes the time of the slowest, not of all', async () => {
    const time = new VirtualTime();
    await all(inOrder([1, 2, 3, 4, 5, 6, 7, 8], { width: 4 }, () => time.wait(100)));
    expect(time.monotonicMs()).toBe(200);
  });

  it('rejects with the first failure in the order of the items, once nothing goes on', async () => {
    const time = new VirtualTime();
    let going = 0;
    const work = async (i: number): Promise<number> => {
      going += 1;
      await time.wait(100 - i);
      going -= 1;
      if (i >= 2) throw new Error(`failure ${i}`);
      return i;
    };
    await expect(all(inOrder([0, 1, 2, 3, 4], { width: 5 }, work))).rejects.toThrow('failure 2');
    expect(going).toBe(0);
  });

  it('begins nothing more when its reader breaks off', async () => {
    const time = new VirtualTime();
    let begun = 0;
    let ended = 0;
    const work = async (): Promise<void> => {
      begun += 1;
      await time.wait(1);
      ended += 1;
    };
    for await (const _ of inOrder(Array.from({ length: 100 }), { width: 3 }, work)) break;
    expect(begun).toBeLessThanOrEqual(4);
    expect(ended).toBe(begun);
  });
});
