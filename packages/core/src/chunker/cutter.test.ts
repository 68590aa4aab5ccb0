import type { PathLike } from 'node:fs';

import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { nodeSuite } from '../crypto/node-suite.ts';
import { CHUNKER_DATA, CHUNKER_TREE } from '../limits.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { SAMPLE_REPO } from '../testing/sample-keys.ts';
import { makeCutter, plainCutter, wasmCutter, type Cutter } from './cutter.ts';
import { cutLength, cutRule, type ChunkerParameters } from './fastcdc.ts';
import { gearTable } from './gear.ts';

/** What reading the WebAssembly file gives instead of its bytes. */
let tamper: ((wasm: Buffer) => Buffer) | undefined;
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const readFileSync = (path: PathLike): Buffer => {
    const bytes = fs.readFileSync(path);
    return tamper === undefined ? bytes : tamper(Buffer.from(bytes));
  };
  return { ...fs, readFileSync };
});
afterEach(() => {
  tamper = undefined;
});

const TABLE = gearTable(nodeSuite, Buffer.alloc(32, 1), SAMPLE_REPO);
const OTHER_TABLE = gearTable(nodeSuite, Buffer.alloc(32, 2), SAMPLE_REPO);
const SMALL: ChunkerParameters = { min: 1024, average: 2048, max: 8192 };
const KNOWN_WORD = Buffer.from('78c0955c', 'hex');

function oneShot(bytes: Uint8Array, parameters: ChunkerParameters, table = TABLE): number[] {
  const rule = cutRule(parameters);
  const ends: number[] = [];
  for (let at = 0; at < bytes.length;) ends.push((at += cutLength(bytes, at, bytes.length, table, rule)));
  return ends;
}

/** Cuts content of which only a window is at hand: the last piece of each is left for the next. */
function streamed(cutter: Cutter, bytes: Uint8Array, windows: () => number): number[] {
  const ends: number[] = [];
  for (let position = 0; position < bytes.length;) {
    const window = cutter.window();
    const length = Math.min(window.length, windows(), bytes.length - position);
    window.set(bytes.subarray(position, position + length));
    const found = cutter.cut(length);
    expect(found.at(-1)).toBe(length);
    if (position + length < bytes.length && found.length > 1) found.pop();
    for (const end of found) ends.push(position + end);
    position = ends.at(-1) ?? 0;
  }
  return ends;
}

describe.each([
  ['the plain engine', plainCutter],
  ['the fast engine', (...asked: Parameters<typeof wasmCutter>) => wasmCutter(...asked) as Cutter],
])('%s', (_, make) => {
  it('cuts as the definition does', () => {
    const contents = [
      pseudoRandomBytes('noise', 12 * 1024 * 1024),
      Buffer.alloc(12 * 1024 * 1024),
      Buffer.concat([Buffer.from('text '.repeat(300_000)), pseudoRandomBytes('x', 3_000_000)]),
    ];
    for (const parameters of [CHUNKER_DATA, CHUNKER_TREE, SMALL]) {
      const cutter = make(TABLE, parameters, 12 * 1024 * 1024);
      for (const content of contents) {
        cutter.window().set(content);
        expect(cutter.cut(content.length)).toEqual(oneShot(content, parameters));
      }
      expect(cutter.cut(0)).toEqual([]);
      cutter.window()[0] = 1;
      expect(cutter.cut(1)).toEqual([1]);
    }
  });

  it('cuts a stream as the whole, however much of it is at hand', () => {
    const cutter = make(TABLE, SMALL, 40_000);
    const content = fc
      .array(fc.tuple(fc.constantFrom('noise', 'zeros', 'text'), fc.nat(30_000)), { maxLength: 6 })
      .map((parts) =>
        Buffer.concat(
          parts.map(([kind, length], i) =>
            kind === 'noise'
              ? pseudoRandomBytes(`${i} ${length}`, length)
              : Buffer.alloc(length, kind === 'zeros' ? 0 : 'abc '),
          ),
        ),
      );
    fc.assert(
      fc.property(content, fc.array(fc.integer({ min: SMALL.max, max: 50_000 }), { minLength: 1 }), (bytes, sizes) => {
        let turn = 0;
        expect(streamed(cutter, bytes, () => sizes[turn++ % sizes.length] ?? SMALL.max)).toEqual(oneShot(bytes, SMALL));
      }),
    );
  });

  it('keeps its table beside others', () => {
    const [one, two] = [make(TABLE, SMALL, 50_000), make(OTHER_TABLE, SMALL, 50_000)];
    const content = pseudoRandomBytes('two tables', 50_000);
    for (const cutter of [one, two, one]) cutter.window().set(content);
    expect([one.cut(50_000), two.cut(50_000), one.cut(50_000)]).toEqual([
      oneShot(content, SMALL),
      oneShot(content, SMALL, OTHER_TABLE),
      oneShot(content, SMALL),
    ]);
  });

  it('holds its memory over many cuts', () => {
    const cutter = make(TABLE, SMALL, 100_000);
    const content = pseudoRandomBytes('again', 100_000);
    const expected = oneShot(content, SMALL);
    const memory = cutter.window().buffer.byteLength;
    for (let i = 0; i < 300; i++) {
      cutter.window().set(content);
      if (cutter.cut(100_000).length !== expected.length) throw new Error('it cuts otherwise');
    }
    expect(cutter.window().buffer.byteLength).toBe(memory);
  });
});

describe('makeCutter', () => {
  const content = pseudoRandomBytes('content', 100_000);
  const works = (cutter: Cutter): void => {
    cutter.window().set(content);
    expect(cutter.cut(content.length)).toEqual(oneShot(content, SMALL));
  };

  it('takes the fast engine where it is as expected', () => {
    expect(wasmCutter(TABLE, SMALL, 100_000)).toBeDefined();
    works(makeCutter(TABLE, SMALL, 100_000));
  });

  it('takes the plain one when the package has no such table', () => {
    tamper = (wasm) => {
      wasm[wasm.indexOf(KNOWN_WORD)] = 0;
      return wasm;
    };
    expect(wasmCutter(TABLE, SMALL, 100_000)).toBeUndefined();
    works(makeCutter(TABLE, SMALL, 100_000));
  });

  it('takes the plain one when the package cuts otherwise', () => {
    // The word is found one place too far: all others are then in the wrong place too.
    tamper = (wasm) => {
      const at = wasm.indexOf(KNOWN_WORD);
      wasm.fill(0, at, at + 4);
      KNOWN_WORD.copy(wasm, at + 4);
      return wasm;
    };
    expect(wasmCutter(TABLE, SMALL, 100_000)).toBeUndefined();
    works(makeCutter(TABLE, SMALL, 100_000));
  });
});
