import { expect, it } from 'vitest';

import { SharedMemory } from './shared-memory.ts';

it('is given with the last of its chunks, and that of a chunk alone with the chunk', () => {
  const shared = new SharedMemory();
  const memory = new ArrayBuffer(30_000);
  const chunks = [0, 10_000, 20_000].map((at) => new Uint8Array(memory, at, 10_000));
  shared.note(memory, chunks.length);
  expect(chunks.map((chunk) => shared.letGo(chunk))).toEqual([undefined, undefined, memory]);
  const alone = new Uint8Array(20_000);
  expect(shared.letGo(alone)).toBe(alone.buffer);
  // Nobody knows who has the rest.
  expect(shared.letGo(new Uint8Array(new ArrayBuffer(30_000), 0, 10_000))).toBeUndefined();
});
