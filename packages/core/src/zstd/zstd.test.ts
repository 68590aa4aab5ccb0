import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { invariant } from '../errors.ts';
import type { Zstd } from '../ports/zstd.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { frameShape } from './frame.ts';
import { loadLibzstd } from './libzstd.ts';
import { loadZstd } from './load.ts';
import { loadNodeZstd } from './node-zstd.ts';
import { loadWasmZstd } from './wasm-zstd.ts';

const backends: Zstd[] = [];
beforeAll(async () => {
  for (const backend of [loadLibzstd(), loadNodeZstd(), await loadWasmZstd()]) {
    if (backend !== undefined) backends.push(backend);
  }
});

const MiB = 1024 * 1024;
const TEXT = Buffer.from('A line that comes again.\n'.repeat(1000));
const SAMPLES: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.of(7)],
  ['a text', TEXT],
  ['noise', pseudoRandomBytes('zstd', 300_000)],
  ['zeros', Buffer.alloc(3 * MiB)],
  ['both', Buffer.concat([TEXT, pseudoRandomBytes('both', 100_000), Buffer.alloc(MiB)])],
];

/** A frame made by hand: blocks of one byte repeated, `[byte, times]` each. Its header gives the size or a window. */
function runs(blocks: readonly (readonly [byte: number, times: number])[], size?: number): Buffer {
  const header = Buffer.from('28b52ffd', 'hex');
  const sizeField = Buffer.alloc(8);
  if (size !== undefined) sizeField.writeBigUInt64LE(BigInt(size));
  const shape = size === undefined ? Buffer.of(0x00, 0x50) : Buffer.concat([Buffer.of(0xe0), sizeField]);
  const body = blocks.map(([byte, times], i) => {
    const block = Buffer.alloc(4, byte);
    block.writeUIntLE((times << 3) | (1 << 1) | (i === blocks.length - 1 ? 1 : 0), 0, 3);
    return block;
  });
  return Buffer.concat([header, shape, ...body]);
}

const SKIPPABLE = Buffer.from('502a4d180100000078', 'hex');

describe('every zstd', () => {
  it('is there in more than one implementation', () => {
    expect(backends.length).toBeGreaterThanOrEqual(2);
  });

  it('opens what any other made, at any level', () => {
    for (const [what, plaintext] of SAMPLES) {
      for (const level of [1, 3, 10]) {
        for (const maker of backends) {
          const frame = Buffer.from(maker.compress(plaintext, level));
          expect(frameShape(frame)?.length, what).toBe(frame.length);
          for (const opener of backends) {
            const opened = opener.decompress(frame, plaintext.length);
            expect(opened && Buffer.compare(opened, plaintext), `${maker.name} ${opener.name} ${what}`).toBe(0);
          }
        }
      }
    }
  });

  it('gives memory of its own', () => {
    for (const { compress, decompress } of backends) {
      const frame = Buffer.from(compress(TEXT, 3));
      const first = decompress(frame, TEXT.length);
      decompress(Buffer.from(compress(Buffer.alloc(TEXT.length), 3)), TEXT.length);
      expect(first && Buffer.compare(first, TEXT)).toBe(0);
    }
  });

  it('takes frames made by hand, with a size and without', () => {
    const expected = Buffer.concat([Buffer.alloc(5, 1), Buffer.alloc(100_000, 2)]);
    for (const { name, decompress } of backends) {
      for (const size of [undefined, expected.length]) {
        const opened = decompress(
          runs(
            [
              [1, 5],
              [2, 100_000],
            ],
            size,
          ),
          expected.length,
        );
        expect(opened && Buffer.compare(opened, expected), name).toBe(0);
      }
    }
  });

  it('refuses every length but the right one', () => {
    for (const { name, compress, decompress } of backends) {
      for (const [what, plaintext] of SAMPLES) {
        const frame = Buffer.from(compress(plaintext, 3));
        for (const length of [0, plaintext.length - 1, plaintext.length + 1, 2 * plaintext.length + 1, 8 * MiB]) {
          if (length < 0 || length === plaintext.length) continue;
          expect(decompress(frame, length), `${name} ${what} ${length}`).toBeUndefined();
        }
      }
    }
  });

  it('makes no more of a bomb than was asked for', () => {
    const bombs = [
      runs(Array.from({ length: 8000 }, () => [0, 128 * 1024] as const)),
      runs(
        Array.from({ length: 8000 }, () => [0, 128 * 1024] as const),
        10,
      ),
      runs([[0, 10]], 2 ** 50),
      runs([[0, 10]], 2 ** 32 + 10),
      runs([[0, 10]], 0),
    ];
    for (const { name, decompress } of backends) {
      const before = process.memoryUsage().rss;
      for (const bomb of bombs) expect(decompress(bomb, 10), name).toBeUndefined();
      expect(process.memoryUsage().rss - before, name).toBeLessThan(64 * MiB);
    }
  });

  it('takes exactly one frame', () => {
    for (const { name, compress, decompress } of backends) {
      const frame = Buffer.from(compress(TEXT, 3));
      const nothing = Buffer.from(compress(Buffer.alloc(0), 3));
      const bad: readonly (readonly [string, Buffer, number])[] = [
        ['two frames', Buffer.concat([frame, frame]), 2 * TEXT.length],
        ['two frames, the length of one', Buffer.concat([frame, frame]), TEXT.length],
        ['an empty frame after it', Buffer.concat([frame, nothing]), TEXT.length],
        ['an empty frame before it', Buffer.concat([nothing, frame]), TEXT.length],
        ['a skippable frame after it', Buffer.concat([frame, SKIPPABLE]), TEXT.length],
        ['a skippable frame before it', Buffer.concat([SKIPPABLE, frame]), TEXT.length],
        ['a skippable frame', SKIPPABLE, 0],
        ['two frames without sizes', Buffer.concat([runs([[1, 5]]), runs([[2, 5]])]), 10],
        ['a byte after it', Buffer.concat([frame, Buffer.of(0)]), TEXT.length],
      ];
      for (const [what, bytes, length] of bad) expect(decompress(bytes, length), `${name}: ${what}`).toBeUndefined();
    }
  });

  it('answers garbage with undefined, and works on', () => {
    for (const { name, compress, decompress } of backends) {
      for (const garbage of [
        Buffer.alloc(0),
        Buffer.of(0x28),
        TEXT,
        Buffer.alloc(1000),
        Buffer.from('28b52ffd', 'hex'),
      ]) {
        for (const length of [0, 1, 1000]) expect(decompress(garbage, length), name).toBeUndefined();
      }
      const small = TEXT.subarray(0, 120);
      const frame = Buffer.from(compress(small, 3));
      for (const { what, bytes } of mutationsOf(frame)) {
        const opened = decompress(bytes, small.length);
        expect(opened === undefined || opened.length === small.length, `${name}: ${what}`).toBe(true);
      }
      expect(decompress(frame, small.length)).toBeDefined();
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(5000), (noise, length) => {
          const opened = decompress(Buffer.concat([Buffer.from('28b52ffd', 'hex'), noise]), length);
          expect(opened === undefined || opened.length === length).toBe(true);
        }),
      );
    }
  });

  it('gives the same answer to the same bytes, of frames whose blocks are not compressed', () => {
    const [first, ...others] = backends;
    invariant(first !== undefined, 'there is one everywhere');
    const text = (opened: Uint8Array | undefined): string | undefined =>
      opened && Buffer.from(opened).toString('latin1');
    const same = (bytes: Uint8Array, length: number, what: string): void => {
      const answer = text(first.decompress(bytes, length));
      for (const other of others) {
        expect(text(other.decompress(bytes, length)), `${other.name}: ${what}`).toBe(answer);
      }
    };
    for (const { what, bytes } of mutationsOf(
      runs(
        [
          [1, 5],
          [2, 100],
        ],
        105,
      ),
    ))
      same(bytes, 105, what);
    for (const { what, bytes } of mutationsOf(
      runs([
        [1, 5],
        [2, 100],
      ]),
    ))
      same(bytes, 105, what);
  });
});

describe('loadZstd', () => {
  it('gives one that works', async () => {
    const zstd = await loadZstd();
    expect(zstd.decompress(Buffer.from(zstd.compress(TEXT, 3)), TEXT.length)).toBeDefined();
  });
});
