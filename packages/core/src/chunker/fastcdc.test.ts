import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { nobleSuite } from '../crypto/noble-suite.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { CHUNKER_DATA, CHUNKER_TREE } from '../limits.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { SAMPLE_KEYS, SAMPLE_REPO } from '../testing/sample-keys.ts';
import { cutLength, cutRule, type ChunkerParameters } from './fastcdc.ts';
import { gearTable } from './gear.ts';

const require = createRequire(import.meta.url);
/** The package through its own front door, with the table that it carries. */
const reference = require('fastcdc-wasm') as {
  get_chunks(bytes: Uint8Array, min: number, average: number, max: number): Uint32Array;
};

/** The table of the package: the 256 words that begin with this one in its data. */
function packageTable(): Int32Array {
  const wasm = readFileSync(require.resolve('fastcdc-wasm/fastcdc_wasm_bg.wasm'));
  const first = Buffer.alloc(4);
  first.writeUInt32LE(0x5c95c078);
  const at = wasm.indexOf(first);
  expect(at).toBeGreaterThan(0);
  return Int32Array.from({ length: 256 }, (_, i) => wasm.readInt32LE(at + 4 * i));
}

function cuts(bytes: Uint8Array, table: Int32Array, parameters: ChunkerParameters): number[] {
  const rule = cutRule(parameters);
  const ends: number[] = [];
  for (let at = 0; at < bytes.length;) ends.push((at += cutLength(bytes, at, bytes.length, table, rule)));
  return ends;
}

const MiB = 1024 * 1024;
const text = (length: number): Buffer => {
  const words = Array.from({ length: 500 }, (_, i) => pseudoRandomBytes(`word ${i}`, 1 + (i % 9)).toString('base64'));
  const choice = pseudoRandomBytes('choice', length);
  let all = '';
  for (let i = 0; all.length < length; i++) all += `${words[(choice[i] ?? 0) % 500]} `;
  return Buffer.from(all.slice(0, length));
};
const CONTENTS: readonly (readonly [string, Buffer])[] = [
  ['noise', pseudoRandomBytes('noise', 20 * MiB)],
  ['zeros', Buffer.alloc(18 * MiB)],
  ['a byte', Buffer.alloc(9 * MiB, 0xa5)],
  ['text', text(4 * MiB)],
  [
    'noise and zeros',
    Buffer.concat([pseudoRandomBytes('a', 3 * MiB), Buffer.alloc(9 * MiB), pseudoRandomBytes('b', MiB)]),
  ],
];

describe('the definition of the chunker', () => {
  it('is that of the package whose speed we use, over contents and parameters', () => {
    const table = packageTable();
    const odd = { min: 3000, average: 5000, max: 20_000 };
    const tight = { min: 1024, average: 1024, max: 1024 };
    for (const parameters of [CHUNKER_DATA, CHUNKER_TREE, odd, tight]) {
      for (const [what, bytes] of CONTENTS) {
        const part = parameters === CHUNKER_DATA ? bytes : bytes.subarray(0, 3 * MiB);
        const { min, average, max } = parameters;
        const expected = [...reference.get_chunks(Buffer.from(part), min, average, max)].slice(1);
        expect(cuts(part, table, parameters), `${what} ${average}`).toEqual(expected);
      }
    }
  });

  it('is that of the package for any parameters and lengths', () => {
    const table = packageTable();
    const parameters = fc
      .tuple(
        fc.integer({ min: 64, max: 3000 }),
        fc.integer({ min: 256, max: 6000 }),
        fc.integer({ min: 1024, max: 9000 }),
      )
      .map((three) => three.sort((a, b) => a - b))
      .map(([min = 0, average = 0, max = 0]) => ({ min, average, max: Math.max(1024, max) }))
      .filter(({ average }) => average >= 256);
    fc.assert(
      fc.property(parameters, fc.nat(60_000), fc.string(), (rule, length, seed) => {
        const bytes = pseudoRandomBytes(seed, length);
        const expected = [...reference.get_chunks(Buffer.from(bytes), rule.min, rule.average, rule.max)].slice(1);
        expect(cuts(bytes, table, rule)).toEqual(expected);
      }),
    );
  });

  it('keeps chunks between the bounds, at about the average', () => {
    const table = gearTable(nodeSuite, Buffer.alloc(32, 1), SAMPLE_REPO);
    for (const [parameters, bytes] of [
      [CHUNKER_DATA, pseudoRandomBytes('data', 60 * MiB)],
      [CHUNKER_TREE, pseudoRandomBytes('tree', 10 * MiB)],
    ] as const) {
      const ends = cuts(bytes, table, parameters);
      const lengths = ends.map((end, i) => end - (ends[i - 1] ?? 0));
      const { min, average, max } = parameters;
      expect(lengths.slice(0, -1).every((length) => length > min && length <= max)).toBe(true);
      const mean = bytes.length / lengths.length;
      expect(mean > 0.5 * average && mean < 2 * average, `${mean}`).toBe(true);
    }
  });

  it('cuts where it did, a few bytes further on, when something is inserted', () => {
    const table = gearTable(nodeSuite, Buffer.alloc(32, 1), SAMPLE_REPO);
    const before = pseudoRandomBytes('insertion', 8 * MiB);
    const after = Buffer.concat([before.subarray(0, MiB), Buffer.from('inserted'), before.subarray(MiB)]);
    const moved = new Set(cuts(after, table, CHUNKER_TREE).map((end) => (end > MiB ? end - 8 : end)));
    const kept = cuts(before, table, CHUNKER_TREE).filter((end) => moved.has(end));
    expect(kept.length / moved.size).toBeGreaterThan(0.95);
  });

  it('never uses the strict mask with the parameters for file data, and does with those for trees', () => {
    const { normalFloor } = cutRule(CHUNKER_DATA);
    expect(normalFloor).toBeLessThan(CHUNKER_DATA.min);
    expect(cutRule(CHUNKER_TREE).normalFloor).toBeGreaterThan(CHUNKER_TREE.min);
  });
});

describe('the gear table', () => {
  it('is 256 words of 31 bits, the same from both suites', () => {
    const { cdc } = SAMPLE_KEYS;
    if (cdc === undefined) throw new Error('a root key has everything');
    const table = gearTable(nodeSuite, cdc, SAMPLE_REPO);
    expect(table.length).toBe(256);
    expect(table.every((word) => word >= 0)).toBe(true);
    expect(new Set(table).size).toBeGreaterThan(250);
    expect([...gearTable(nobleSuite, cdc, SAMPLE_REPO)]).toEqual([...table]);
  });

  it('is another for every key and repository, and so are the cuts', () => {
    const bytes = pseudoRandomBytes('tables', MiB);
    const tables = [
      gearTable(nodeSuite, Buffer.alloc(32, 1), SAMPLE_REPO),
      gearTable(nodeSuite, Buffer.alloc(32, 2), SAMPLE_REPO),
      gearTable(nodeSuite, Buffer.alloc(32, 1), Buffer.alloc(16)),
    ];
    expect(new Set(tables.map((table) => cuts(bytes, table, CHUNKER_TREE).join())).size).toBe(3);
  });
});
