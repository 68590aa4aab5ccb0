import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { encodeMsgpack, type Value } from '../codec/msgpack.ts';
import { LIMITS } from '../limits.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { EMPTY_CONTENT, type ContentReference } from './content.ts';
import {
  decodeEntry,
  ENTRY_KIND,
  EntryEncoder,
  entryContent,
  entryName,
  type EntryKind,
  type TreeEntry,
} from './entry.ts';

const encoder = new EntryEncoder();
const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const FIELDS = [
  ['name', 'kind', 'mode', 'uid', 'gid', 'mtime', 'ctime', 'size', 'inode', 'user', 'group', 'link', 'device'],
  ['target', 'xattrs', 'flags', 'holes', 'content', 'state'],
].flat();
type Fields = Readonly<Record<string, Value>>;

/** The array of an entry, field by field; a file without content unless told otherwise. */
function raw(change: Fields = {}): Value[] {
  const kind = change['kind'] ?? 1;
  const defaults: Fields = {
    ...Object.fromEntries(FIELDS.map((name) => [name, null])),
    name: Buffer.from('n'),
    kind,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 5,
    ctime: 5,
    size: 0,
    inode: 7,
    content: kind === 1 || kind === 2 ? [0, Buffer.alloc(0)] : null,
    state: 0,
  };
  return FIELDS.map((name) => ({ ...defaults, ...change })[name] as Value);
}
const encoded = (change: Fields = {}): Buffer => encodeMsgpack(raw(change));

function records(...lengths: readonly number[]): Buffer {
  const bytes = Buffer.alloc(40 * lengths.length, 0xee);
  lengths.forEach((length, i) => bytes.writeBigUInt64LE(BigInt(length), 40 * i + 32));
  return bytes;
}

const byteString = (minLength: number, maxLength: number, without: readonly string[]): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength, maxLength })
    .map((bytes) => without.reduce((text, stranger) => text.replaceAll(stranger, 'x'), latin1(bytes)));
const time = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const u32 = fc.nat(2 ** 31 - 1).map((value) => 2 * value + 1);
const content = fc
  .tuple(fc.nat(4), fc.array(fc.integer({ min: 1, max: LIMITS.chunkBytes }), { maxLength: 64 }))
  .map(([level, lengths]): ContentReference => {
    const length = lengths.reduce((sum, part) => sum + part, 0);
    return lengths.length === 0 ? EMPTY_CONTENT : { level, records: records(...lengths), length };
  });
const holesOf = fc.array(fc.tuple(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 2 ** 40 })), {
  maxLength: 5,
});
const xattrs = fc
  .uniqueArray(fc.tuple(byteString(1, 255, ['\0']), fc.uint8Array({ maxLength: 100 })), {
    selector: ([name]) => name,
    maxLength: 5,
  })
  .map((list) => list.sort(([a], [b]) => (a < b ? -1 : 1)));

/** Entries of every kind, with everything that their kind may have. */
const anyEntry = fc
  .record({
    name: byteString(1, 255, ['/', '\0', '.']),
    kind: fc.integer({ min: 1, max: 7 }),
    mode: fc.nat(0o7777),
    uid: u32,
    gid: u32,
    mtimeNs: time,
    ctimeNs: time,
    inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    user: fc.option(fc.string({ unit: 'binary' })),
    group: fc.option(fc.string({ unit: 'binary' })),
    link: fc.option(fc.nat(Number.MAX_SAFE_INTEGER)),
    device: fc.tuple(u32, u32),
    target: byteString(1, 4095, ['\0']),
    xattrs,
    flags: fc.option(u32),
    gaps: holesOf,
    content,
    state: fc.nat(1),
  })
  .map(({ kind: number, gaps, ...fields }): TreeEntry => {
    const kind = number as EntryKind;
    const isFile = kind === ENTRY_KIND.file;
    const holes: (readonly [number, number])[] = [];
    let at = 0;
    for (const [gap, length] of isFile ? gaps : []) {
      holes.push([at + gap, length]);
      at += gap + length;
    }
    const data = holes.reduce((sum, [, length]) => sum + length, 0);
    // The content must reach to the last hole.
    const enough = at - data <= fields.content.length;
    return {
      ...fields,
      kind,
      size: isFile ? fields.content.length + (enough ? data : 0) : 0,
      device: kind === ENTRY_KIND.character || kind === ENTRY_KIND.block ? fields.device : null,
      target: kind === ENTRY_KIND.symlink ? fields.target : null,
      xattrs: fields.xattrs.length === 0 ? null : fields.xattrs,
      holes: enough && holes.length > 0 ? holes : null,
      content: isFile || kind === ENTRY_KIND.directory ? fields.content : null,
    };
  });

describe('a tree entry', () => {
  it('says what was written', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const bytes = encoder.encode(entry);
        const decoded = decodeEntry(bytes);
        expect(decoded).toEqual(entry);
        expect(encoder.encode(decoded).equals(bytes)).toBe(true);
        expect(entryName(bytes)).toBe(entry.name);
        expect(entryContent(bytes)).toEqual(entry.content);
        expect(encoder.hasStatus(bytes, entry)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('has another status when anything that stat tells is another', () => {
    const entry = decodeEntry(encoded({ size: 5, content: [0, records(5)], user: 'u', group: 'g' }));
    const bytes = encoder.encode(entry);
    const changes: readonly Partial<TreeEntry>[] = [
      { name: 'm' },
      { kind: 2 },
      { mode: 0 },
      { uid: 1 },
      { gid: 1 },
      { mtimeNs: 6n },
      { ctimeNs: 6n },
      { size: 6 },
      { inode: 8n },
      { user: null },
      { group: 'h' },
    ];
    for (const change of changes)
      expect(encoder.hasStatus(bytes, { ...entry, ...change }), Object.keys(change)[0]).toBe(false);
    const detail: TreeEntry = { ...entry, content: null, flags: 1 };
    expect(encoder.hasStatus(bytes, detail)).toBe(true);
    expect(encoder.hasStatus(bytes.subarray(0, 10), entry)).toBe(false);
  });

  it('after any change is refused, or canonical', () => {
    const samples: readonly Fields[] = [
      {
        size: 30,
        content: [0, records(10)],
        holes: [
          [0, 5],
          [6, 15],
        ],
        link: 3,
        flags: 64,
        state: 1,
      },
      { name: Buffer.from('link'), kind: 3, target: Buffer.from('../x'), user: 'root', group: 'wheel' },
      { name: Buffer.from([0xff]), kind: 6, device: [240, 70_000], mtime: -(2n ** 62n), inode: 2n ** 63n },
      {
        kind: 2,
        content: [2, records(1, 2)],
        xattrs: [
          [Buffer.from('user.a'), Buffer.from('1')],
          [Buffer.from('user.b'), Buffer.alloc(0)],
        ],
      },
    ];
    for (const sample of samples) {
      const original = encoded(sample);
      decodeEntry(original);
      for (const { what, bytes } of mutationsOf(original)) {
        const answer = readOrRefuse(() => decodeEntry(bytes));
        if ('value' in answer) expect(encoder.encode(answer.value).equals(bytes), what).toBe(true);
        readOrRefuse(() => entryName(bytes));
        readOrRefuse(() => entryContent(bytes));
        readOrRefuse(() => decodeEntry(bytes, true));
      }
    }
  });

  it('may be anything that a file can be', () => {
    const good: readonly Fields[] = [
      {},
      { size: 10, content: [0, records(10)] },
      {
        size: 30,
        content: [0, records(10)],
        holes: [
          [0, 5],
          [6, 15],
        ],
      },
      { size: 10, content: [4, records(10)] },
      { size: 7, holes: [[0, 7]] },
      { size: Number.MAX_SAFE_INTEGER, content: [4, records(Number.MAX_SAFE_INTEGER)] },
      { size: LIMITS.chunkBytes, content: [0, records(LIMITS.chunkBytes)] },
      { size: 64, content: [0, records(...Array.from({ length: 64 }, () => 1))] },
      { size: 8193, holes: Array.from({ length: 4096 }, (_, n) => [2 * n, 1]), content: [0, records(4097)] },
      { kind: 4, mode: 0o7777 },
      { kind: 5, device: [1, 3] },
      { kind: 6, device: [2 ** 32 - 1, 2 ** 32 - 1], flags: 2 ** 32 - 1, link: 2 ** 53 - 1, inode: 2n ** 64n - 1n },
      { kind: 7, state: 1 },
      { kind: 3, target: Buffer.alloc(4095, 'x') },
      { mtime: -(2n ** 63n), ctime: 2n ** 63n - 1n, uid: 2 ** 32 - 1, gid: 2 ** 32 - 1 },
      {
        xattrs: [
          [Buffer.from('user.a'), Buffer.alloc(0)],
          [Buffer.from('user.b'), Buffer.alloc(65_536)],
        ],
      },
      { name: Buffer.alloc(255, 'n') },
      { name: Buffer.from('...') },
      { name: Buffer.from('\\') },
    ];
    for (const fields of good) expect(encoder.encode(decodeEntry(encoded(fields))).equals(encoded(fields))).toBe(true);
  });

  it('is refused for what no file can be', () => {
    const one = records(10);
    const bad: readonly Fields[] = [
      ...['', '.', '..', 'a/b', '/', 'a\0', 'n'.repeat(256)].map((name) => ({ name: Buffer.from(name) })),
      ...[0, 8, -1, 'file', null].map((kind) => ({ kind })),
      ...[0o10000, -1, true].map((mode) => ({ mode })),
      ...[-1, 2 ** 32].flatMap((id) => [{ uid: id }, { gid: id }, { flags: id }, { kind: 5, device: [1, id] }]),
      ...[2n ** 63n, null].flatMap((value) => [{ mtime: value }, { ctime: value }]),
      ...[-1, 2n ** 64n - 1n, 1, 11].map((size) => ({ size, content: [0, one] })),
      ...[-1, 2 ** 53].map((link) => ({ link: BigInt(link) })),
      { name: 'text' },
      { inode: -1 },
      { user: Buffer.from('u') },
      { size: 1 },
      { kind: 2, size: 10, content: [0, one] },
      { kind: 4, content: [0, one] },
      { kind: 4, size: 1 },
      { content: null },
      { kind: 2, content: null },
      { content: [1, Buffer.alloc(0)] },
      { content: [0] },
      { size: 10, content: [5, one] },
      { size: 10, content: [-1, one] },
      { size: 10, content: [0, Buffer.concat([one, Buffer.alloc(1)])] },
      { size: 65, content: [0, records(...Array.from({ length: 65 }, () => 1))] },
      { content: [0, records(0)] },
      { content: [3, records(0)] },
      { size: LIMITS.chunkBytes + 1, content: [0, records(LIMITS.chunkBytes + 1)] },
      { size: 2n ** 53n, content: [4, records(2 ** 53)] },
      { size: 0, content: [4, Buffer.alloc(40, 0xff)] },
      { holes: [] },
      { kind: 2, holes: [[0, 1]] },
      { size: 10, content: [0, one], holes: [[0, 0]] },
      { size: 20, content: [0, one], holes: [[11, 10]] },
      {
        size: 20,
        content: [0, one],
        holes: [
          [0, 5],
          [5, 5],
        ],
      },
      {
        size: 20,
        content: [0, one],
        holes: [
          [5, 5],
          [0, 5],
        ],
      },
      { size: 20, content: [0, one], holes: [[-5, 10]] },
      { size: 20, content: [0, one], holes: [[0, 10, 1]] },
      { size: 8195, holes: Array.from({ length: 4097 }, (_, n) => [2 * n, 1]), content: [0, records(4098)] },
      { kind: 3 },
      ...['', 'a\0', 'x'.repeat(4096)].map((target) => ({ kind: 3, target: Buffer.from(target) })),
      { target: Buffer.from('x') },
      { kind: 5 },
      { device: [1, 2] },
      { kind: 5, device: [1] },
      { kind: 5, device: [1, 2, 3] },
      { xattrs: [] },
      {
        xattrs: [
          [Buffer.from('b'), Buffer.alloc(0)],
          [Buffer.from('a'), Buffer.alloc(0)],
        ],
      },
      {
        xattrs: [
          [Buffer.from('a'), Buffer.alloc(0)],
          [Buffer.from('a'), Buffer.alloc(0)],
        ],
      },
      ...['', 'a\0', 'x'.repeat(256)].map((name) => ({ xattrs: [[Buffer.from(name), Buffer.alloc(0)]] })),
      { xattrs: [[Buffer.from('a'), Buffer.alloc(65_537)]] },
      { xattrs: [[Buffer.from('a')]] },
      { xattrs: Array.from({ length: 17 }, (_, n) => [Buffer.of(n + 1), Buffer.alloc(65_536)]) },
      { state: 2 },
      { state: null },
    ];
    for (const fields of bad)
      expect(
        refusal(() => decodeEntry(encoded(fields))),
        Object.entries(fields).join().slice(0, 200),
      ).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(encodeMsgpack(raw().slice(1))))).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(encodeMsgpack([...raw(), null])))).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(Buffer.concat([encoded(), Buffer.alloc(1)])))).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(Buffer.alloc(LIMITS.treeEntryBytes + 1, 0xdc)))).toBe('CORRUPT');
  });

  it("is an archive's root without a name, and only then", () => {
    const root = encoded({ name: Buffer.alloc(0), kind: 2 });
    expect(decodeEntry(root, true).name).toBe('');
    expect(refusal(() => decodeEntry(root))).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(encoded({ kind: 2 }), true))).toBe('CORRUPT');
    expect(refusal(() => decodeEntry(encoded({ name: Buffer.alloc(0) }), true))).toBe('CORRUPT');
  });

  it('is written with nil for empty lists', () => {
    const entry = decodeEntry(encoded());
    expect(encoder.encode({ ...entry, xattrs: [], holes: [] }).equals(encoded())).toBe(true);
  });
});
