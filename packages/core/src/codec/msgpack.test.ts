import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { encodeMsgpack, MsgpackReader, MsgpackWriter, type Value } from './msgpack.ts';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const reader = (bytes: Uint8Array): MsgpackReader => new MsgpackReader(bytes, 'a test');

/** Reads any value by its first byte, with the methods that readers of structures use. */
function decode(from: MsgpackReader, bytes: Uint8Array): Value {
  const tag = bytes[from.position] ?? 0;
  if (from.nil()) return null;
  if (tag === 0xc2 || tag === 0xc3) return from.bool();
  if (tag >= 0xc4 && tag <= 0xc6) return Buffer.from(from.bin());
  if ((tag >= 0xa0 && tag < 0xc0) || (tag >= 0xd9 && tag <= 0xdb)) return from.str();
  if ((tag >= 0x90 && tag < 0xa0) || tag >= 0xdc) {
    if (tag < 0xe0) return from.list((inner) => decode(inner, bytes));
  }
  if (tag === 0xcf) return from.u64();
  return tag === 0xd3 ? from.i64() : from.int();
}

function whole(bytes: Uint8Array): Value {
  const from = reader(bytes);
  const value = decode(from, bytes);
  from.finish();
  return value;
}

function skipped(bytes: Uint8Array): void {
  const from = reader(bytes);
  from.skip();
  from.finish();
}

/** Integers as the decoder gives them back: numbers below 2^32, bigints above. */
const integer = fc.oneof(
  fc.integer({ min: -40, max: 300 }),
  fc.integer(),
  fc.nat(0xffff_ffff),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 31n) - 1n }),
  fc.bigInt({ min: 2n ** 32n, max: 2n ** 64n - 1n }),
);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const { value: anyValue } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constantFrom(null, true, false),
    integer,
    fc.string({ unit: 'binary', maxLength: 100 }),
    bytes,
    fc.array(tie('value'), { maxLength: 20 }),
  ),
}));

describe('MessagePack', () => {
  it('gives back what was written, and skips it', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const encoded = encodeMsgpack(value);
        expect(whole(encoded)).toEqual(value);
        skipped(encoded);
      }),
    );
  });

  it('is written in the shortest form (the forms of the MessagePack specification)', () => {
    const forms: readonly (readonly [Value, string])[] = [
      [null, 'c0'],
      [false, 'c2'],
      [true, 'c3'],
      [0, '00'],
      [127, '7f'],
      [128, 'cc80'],
      [255, 'ccff'],
      [256, 'cd0100'],
      [65_535, 'cdffff'],
      [65_536, 'ce00010000'],
      [2 ** 32 - 1, 'ceffffffff'],
      [2 ** 32, 'cf0000000100000000'],
      [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
      [2n ** 64n - 1n, 'cfffffffffffffffff'],
      [5n, '05'],
      [-1, 'ff'],
      [-32, 'e0'],
      [-33, 'd0df'],
      [-128, 'd080'],
      [-129, 'd1ff7f'],
      [-32_768, 'd18000'],
      [-32_769, 'd2ffff7fff'],
      [-(2 ** 31), 'd280000000'],
      [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
      [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
      [-(2n ** 63n), 'd38000000000000000'],
      ['', 'a0'],
      ['ü', 'a2c3bc'],
      ['\ufeffx\0', 'a5efbbbf7800'],
      [Buffer.alloc(0), 'c400'],
      [Buffer.alloc(1, 9), 'c40109'],
      [[], '90'],
      [[1, [null]], '920191c0'],
    ];
    for (const [value, expected] of forms) expect(encodeMsgpack(value).toString('hex')).toBe(expected);
    const starts: readonly (readonly [Value, string])[] = [
      ['x'.repeat(31), 'bf78'],
      ['x'.repeat(32), 'd92078'],
      ['x'.repeat(255), 'd9ff78'],
      ['x'.repeat(256), 'da010078'],
      ['x'.repeat(65_535), 'daffff78'],
      ['x'.repeat(65_536), 'db0001000078'],
      [Buffer.alloc(255), 'c4ff00'],
      [Buffer.alloc(256), 'c5010000'],
      [Buffer.alloc(65_535), 'c5ffff00'],
      [Buffer.alloc(65_536), 'c60001000000'],
      [Array.from({ length: 15 }, () => 0), '9f00'],
      [Array.from({ length: 16 }, () => 0), 'dc001000'],
      [Array.from({ length: 65_535 }, () => 0), 'dcffff00'],
      [Array.from({ length: 65_536 }, () => 0), 'dd0001000000'],
    ];
    for (const [value, start] of starts) {
      const encoded = encodeMsgpack(value);
      expect(encoded.toString('hex', 0, start.length / 2)).toBe(start);
      expect(Buffer.from(encodeMsgpack(whole(encoded))).equals(encoded)).toBe(true);
    }
  });

  it('is refused in any longer form, and for types that the format does not have', () => {
    const bad = [
      ['cc7f', 'cd00ff', 'ce0000ffff', 'cf00000000ffffffff', 'd000', 'd07f', 'd0e0', 'd10080', 'd1ff80', 'd2ffff8000'],
      ['d3ffffffff80000000', 'd30000000000000001', 'd900', 'd90161', 'da000161', 'db0000000161', 'c5000161'],
      ['c60000000161', 'dc000101', 'dc0000', 'dd0000000101', 'a1ff', 'a3eda080', 'a2c080', 'a4f4908080', 'a3efbf'],
      ['ca00000000', 'cb0000000000000000', '80', '8101c0', 'de0000', 'df00000000', 'd40100', 'd6ff00000000', 'd8'],
      [
        'c70500aabbccddee',
        'c8',
        'c9',
        'c1',
        '',
        'c0c0',
        '91',
        'c402aa',
        'a2c3',
        '92c0',
        'cc',
        'cd00',
        'ce',
        'cf00',
        'd0',
      ],
    ];
    for (const text of bad.flat()) {
      expect(
        refusal(() => skipped(hex(text))),
        text,
      ).toBe('CORRUPT');
      expect(
        refusal(() => whole(hex(text))),
        text,
      ).toBe('CORRUPT');
    }
  });

  it('when read after any change is refused, or is canonical itself', () => {
    const originals: Value[] = [
      [null, true, 0, 200, 70_000, 2n ** 40n, -5, -200, -70_000, -(2n ** 40n)],
      [
        '',
        'a text',
        'ü'.repeat(20),
        Buffer.alloc(3, 7),
        Buffer.alloc(260, 1),
        [[], [[1]]],
        Array.from({ length: 17 }, () => 1),
      ],
    ];
    for (const original of originals) {
      for (const { what, bytes: changed } of mutationsOf(encodeMsgpack(original))) {
        const answer = readOrRefuse(() => whole(changed));
        if ('value' in answer) expect(encodeMsgpack(answer.value).equals(changed), what).toBe(true);
        expect(refusal(() => skipped(changed)) === 'accepted', what).toBe('value' in answer);
      }
    }
  });

  it('when it is noise is refused, or is canonical itself', () => {
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(anyValue, fc.nat(), fc.nat(255)).map(([value, where, byte]) => {
        const changed = encodeMsgpack(value);
        changed[where % changed.length] = byte;
        return changed;
      }),
    );
    fc.assert(
      fc.property(noise, (changed) => {
        const answer = readOrRefuse(() => whole(changed));
        if ('value' in answer) expect(encodeMsgpack(answer.value).equals(changed)).toBe(true);
        expect(refusal(() => skipped(changed)) === 'accepted').toBe('value' in answer);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('MsgpackReader', () => {
  it('believes no length before the bytes are there', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const text of ['ddffffffff', 'dcffff', 'c6ffffffff', 'dbffffffff', 'dd7fffffff00', '92ddffffffff']) {
      expect(
        refusal(() => skipped(hex(text))),
        text,
      ).toBe('CORRUPT');
      expect(
        refusal(() => reader(hex(text)).list((r) => r.int())),
        text,
      ).toBe('CORRUPT');
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
  });

  it('bounds nesting, counted from 1 for the outermost array', () => {
    skipped(hex(`${'91'.repeat(15)}90`));
    expect(refusal(() => skipped(hex(`${'91'.repeat(16)}90`)))).toBe('CORRUPT');
    expect(refusal(() => skipped(hex(`${'91'.repeat(100_000)}90`)))).toBe('CORRUPT');
    reader(hex('9190')).skip(14);
    expect(refusal(() => reader(hex('9190')).skip(15))).toBe('CORRUPT');
  });

  it('bounds the elements of all arrays together', () => {
    const array = (count: number): Buffer => {
      const start = Buffer.alloc(5);
      start[0] = 0xdd;
      start.writeUInt32BE(count, 1);
      return Buffer.concat([start, Buffer.alloc(count)]);
    };
    skipped(array(1_000_000));
    expect(refusal(() => skipped(array(1_000_001)))).toBe('CORRUPT');
    skipped(Buffer.concat([hex('92'), array(499_999), array(499_999)]));
    expect(refusal(() => skipped(Buffer.concat([hex('92'), array(500_000), array(499_999)])))).toBe('CORRUPT');
  });

  it('keeps to the bounds that it is asked for', () => {
    const cases: readonly (readonly [string, (r: MsgpackReader) => unknown])[] = [
      ['05', (r) => r.uint(4)],
      ['ff', (r) => r.uint()],
      ['ff', (r) => r.u64()],
      ['cf8000000000000000', (r) => r.i64()],
      ['cf0020000000000000', (r) => r.int()],
      ['d3ffe0000000000000', (r) => r.int()],
      ['c40100', (r) => r.bin(0)],
      ['c40100', (r) => r.binLatin1(0)],
      ['c40100', (r) => r.fixed(2)],
      ['c40100', (r) => r.fixed(0)],
      ['9100', (r) => r.tuple(2)],
      ['9100', (r) => r.tuple(0)],
      ['00', (r) => r.finish()],
      ['00', (r) => r.bool()],
      ['c0', (r) => r.bool()],
      ['c0', (r) => r.int()],
      ['c0', (r) => r.str()],
      ['c0', (r) => r.bin()],
      ['c0', (r) => r.array()],
      ['a0', (r) => r.bin()],
      ['c400', (r) => r.str()],
      ['', (r) => r.nil()],
    ];
    for (const [text, read] of cases)
      expect(
        refusal(() => read(reader(hex(text)))),
        `${text} ${read}`,
      ).toBe('CORRUPT');
    expect(reader(hex('cf8000000000000000')).u64()).toBe(2n ** 63n);
    expect(reader(hex('d38000000000000000')).i64()).toBe(-(2n ** 63n));
    expect(reader(hex('c402ff00')).binLatin1(2)).toBe('\xff\0');
  });

  it('reads a part of a larger buffer', () => {
    const part = new MsgpackReader(hex('ff05c0'), 'a test', 1, 2);
    expect(part.int()).toBe(5);
    part.finish();
    expect(refusal(() => part.int())).toBe('CORRUPT');
    const view = Uint8Array.of(9, 9, 0xc4, 1, 7).subarray(2);
    expect([...reader(view).bin()]).toEqual([7]);
  });

  it('says what does not parse, and where', () => {
    expect(() => skipped(hex('9200cc01'))).toThrow(/^a test does not parse: .* at byte 4$/);
  });
});

describe('MsgpackWriter', () => {
  it('is used again after a reset, and grows', () => {
    const writer = new MsgpackWriter(1);
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 4 }), (values) => {
        writer.reset();
        for (const value of values) writer.value(value);
        expect(writer.view().equals(Buffer.concat(values.map(encodeMsgpack)))).toBe(true);
        expect(writer.size).toBe(writer.view().length);
      }),
    );
    writer.reset();
    writer.raw(hex('c3'));
    writer.binLatin1('\xff\0');
    expect(writer.view().toString('hex')).toBe('c3c402ff00');
  });

  it('writes no number that is not an integer', () => {
    for (const value of [0.5, Number.NaN, Infinity, 2 ** 53]) {
      expect(() => encodeMsgpack(value)).toThrow(expect.toSatisfy((error) => isCairnError(error, 'INTERNAL')));
    }
  });
});
