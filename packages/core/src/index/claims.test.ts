import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { Claims, makeClaimsMemory } from './claims.ts';

/** Compiled, because a thread of Node loads no TypeScript. */
const COMPILED = new URL('../../dist/index/claims.js', import.meta.url);

/** Claims all ids, beginning somewhere else in each thread, and gives back the positions of those it won. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { memory, ids, url, first } = workerData;
  import(url).then(({ Claims }) => {
    const claims = new Claims(memory);
    const count = ids.byteLength / 32;
    const won = [];
    for (let i = 0; i < count; i++) {
      const at = (first + i) % count;
      if (claims.claim(new Uint8Array(ids, 32 * at, 32))) won.push(at);
    }
    parentPort.postMessage(won);
  });
`;

function thread(memory: SharedArrayBuffer, ids: SharedArrayBuffer, first: number): Promise<number[]> {
  const workerData = { memory, ids, url: COMPILED.href, first };
  const worker = new Worker(THREAD, { eval: true, workerData });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

describe('Claims', () => {
  it('agrees with a set in one thread, over several levels', () => {
    const claims = new Claims(makeClaimsMemory());
    const other = new Set<string>();
    const ids = pseudoRandomBytes('claims', 16 * 70_000);
    const wrong: string[] = [];
    for (let round = 0; round < 2; round++) {
      for (let at = 0; at < ids.length; at += 16) {
        const id = ids.subarray(at, at + 16);
        const name = id.toString('latin1');
        if (claims.claim(id) === other.has(name)) wrong.push(id.toString('hex'));
        other.add(name);
      }
    }
    expect(wrong).toEqual([]);
    expect(other.size).toBe(70_000);
  });

  it('takes ids that fall into one slot, and the all-zero id', () => {
    const id = fc.tuple(fc.constantFrom(0, 1, 0x3fff, 0xffff_ffff), fc.nat(3), fc.nat(1), fc.nat(1));
    fc.assert(
      fc.property(fc.array(id, { maxLength: 40 }), (words) => {
        const claims = new Claims(makeClaimsMemory());
        const seen = new Set<string>();
        for (const [a, ...rest] of words) {
          const bytes = Buffer.alloc(32);
          [a, ...rest].forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
          // An id that begins with a zero word counts as the one with 1 there: 127 bits still tell chunks apart.
          const name = [a || 1, ...rest].join();
          expect(claims.claim(bytes)).toBe(!seen.has(name));
          seen.add(name);
        }
      }),
    );
  });

  it('are given to exactly one of several threads', async () => {
    expect(existsSync(COMPILED), 'run `npm run build` first').toBe(true);
    const count = 30_000;
    const ids = new SharedArrayBuffer(32 * count);
    new Uint8Array(ids).set(pseudoRandomBytes('threads', 32 * count));
    const memory = makeClaimsMemory();
    const claims = new Claims(memory);
    const mine = Array.from({ length: 100 }, (_, i) => i);
    expect(mine.filter((i) => claims.claim(new Uint8Array(ids, 32 * i, 32)))).toEqual(mine);
    // All begin at the same place, or a few apart: they meet at every id.
    const won = await Promise.all([0, 0, 1, 50].map((first) => thread(memory, ids, first)));
    const all = [...mine, ...won.flat()].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(claims.claim(new Uint8Array(ids, 32 * (count - 1), 32))).toBe(false);
  });
});
