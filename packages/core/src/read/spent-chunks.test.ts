import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { SpentChunks } from './spent-chunks.ts';

/** Chunks and which of them were freed, by number. */
function shelf(): { spent: SpentChunks; freed: number[]; letGo: (number: number) => void } {
  const freed: number[] = [];
  const spent = new SpentChunks((bytes) => void freed.push(bytes[0] ?? -1));
  return { spent, freed, letGo: (number) => spent.add(Uint8Array.of(number)) };
}

/** A read that lasts until it is told to end. */
function read(spent: SpentChunks): { end: () => void; done: Promise<void> } {
  let end: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (end = resolve));
  return { end, done: spent.reading(async () => await until) };
}

describe('a chunk that is not kept any more', () => {
  it('is freed when nobody reads', async () => {
    const { freed, letGo } = shelf();
    letGo(1);
    expect(freed).toEqual([]);
    await nextTurn();
    expect(freed).toEqual([1]);
  });

  it('is there for every read that began before, and does not wait for those that began later', async () => {
    const { spent, freed, letGo } = shelf();
    const first = read(spent);
    letGo(1);
    const second = read(spent);
    letGo(2);
    await nextTurn();
    expect(freed).toEqual([]);
    first.end();
    await first.done;
    // What follows at once from the end of a read still has the chunk.
    expect(freed).toEqual([]);
    await nextTurn();
    expect(freed).toEqual([1]);
    second.end();
    await second.done;
    await nextTurn();
    expect(freed).toEqual([1, 2]);
  });

  it('is freed after a read that failed, too', async () => {
    const { spent, freed, letGo } = shelf();
    const failing = spent.reading(async () => {
      letGo(1);
      await nextTurn();
      throw new Error('it failed');
    });
    await expect(failing).rejects.toThrow('it failed');
    await nextTurn();
    expect(freed).toEqual([1]);
  });
});
