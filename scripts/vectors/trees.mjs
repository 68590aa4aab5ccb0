// @ts-check
import { EntryEncoder } from '../../packages/core/dist/tree/entry.js';
import { join, u32, u64 } from './page.mjs';
import { encodeMsgpack, respelt } from './msgpack.mjs';
import { fail, fixed, ok, TIME } from './samples.mjs';

/** @typedef {import('./samples.mjs').Named} Named */
/** @typedef {import('./samples.mjs').Bytes} Bytes */
/** @typedef {import('./msgpack.mjs').Value} Value */
/** @typedef {import('../../packages/core/dist/tree/entry.js').TreeEntry} TreeEntry */

/** Records of a content. @param {...readonly [seed: string, length: number | bigint]} parts */
const records = (...parts) => join(...parts.map(([seed, length]) => join(fixed(seed, 32), u64(length))));
const NOTHING = Buffer.alloc(0);
const bin = (/** @type {string} */ text) => Buffer.from(text, 'latin1');

/** The fields of an entry in the order of the page. */
const FIELDS = /** @type {const} */ ([
  'name',
  'kind',
  'mode',
  'uid',
  'gid',
  'mtime',
  'ctime',
  'size',
  'inode',
  'user',
  'group',
  'link',
  'device',
  'target',
  'xattrs',
  'flags',
  'holes',
  'content',
  'state',
]);
/** @typedef {Partial<Record<typeof FIELDS[number], Value>>} Fields */

/** The array of an entry. @param {Fields} [change] @returns {Value[]} */
function values(change = {}) {
  const kind = change.kind ?? 1;
  /** @type {Fields} */
  const defaults = {
    name: bin('name'),
    kind,
    mode: 0o644,
    uid: 1000,
    gid: 100,
    mtime: TIME,
    ctime: TIME + 5n,
    size: 0,
    inode: 77,
    content: kind === 1 || kind === 2 ? [0, NOTHING] : null,
    state: 0,
  };
  const fields = { ...defaults, ...change };
  return FIELDS.map((name) => fields[name] ?? null);
}

/** @param {...Bytes} entries */
const stream = (...entries) => join(...entries.flatMap((entry) => [u32(entry.length), entry]));
/** @param {Fields} change */
const encoded = (change) => encodeMsgpack(values(change));

/** The entry of `/` in an archive with nothing in it. */
export const rootEntry = () => encoded({ name: NOTHING, kind: 2, mode: 0o755, inode: 2 });

/** @type {readonly (readonly [string, string, readonly Fields[]])[]} */
const GOOD = [
  ['empty', 'An empty directory has an empty stream.', []],
  [
    'kinds',
    'One entry of each kind; an empty content is [0, ""], other kinds have none.',
    [
      { name: bin('a file') },
      { name: bin('b directory'), kind: 2, mode: 0o1755 },
      { name: bin('c symlink'), kind: 3, mode: 0o777, target: bin('../x') },
      { name: bin('d fifo'), kind: 4 },
      { name: bin('e character'), kind: 5, device: [1, 3] },
      { name: bin('f block'), kind: 6, device: [2 ** 32 - 1, 70_000] },
      { name: bin('g socket'), kind: 7 },
    ],
  ],
  [
    'names',
    'Names ascend by their bytes: they need not be UTF-8, and a longer name follows its beginning.',
    [
      bin('\x01'),
      bin('...'),
      bin('A'),
      bin('a'),
      bin('a\n'),
      bin('a b'),
      bin('\xc3\xbc'),
      bin('\xff'),
      Buffer.alloc(255, 0xff),
    ].map((name) => ({ name })),
  ],
  [
    'numbers',
    'Numbers at the ends of their ranges, times before 1970 and after 2262 less a nanosecond.',
    [
      {
        name: bin('a'),
        mode: 0o7777,
        uid: 2 ** 32 - 1,
        gid: 2 ** 32 - 1,
        mtime: -(2n ** 63n),
        ctime: 2n ** 63n - 1n,
        inode: 2n ** 64n - 1n,
      },
      {
        name: bin('b'),
        mode: 0,
        uid: 0,
        gid: 0,
        mtime: -1,
        ctime: 0,
        inode: 0,
        link: 2 ** 53 - 1,
        flags: 2 ** 32 - 1,
        state: 1,
      },
    ],
  ],
  [
    'hard-link',
    'Two names of one file repeat the whole entry.',
    ['one', 'two'].map((name) => ({ name: bin(name), link: 2049, size: 5, content: [0, records(['c', 5])] })),
  ],
  [
    'owners',
    'Names of owners are text, or nil.',
    [
      { name: bin('a'), user: 'root', group: 'wheel' },
      { name: bin('b'), user: 'ünï', group: null },
    ],
  ],
  [
    'xattrs',
    'Attributes ascend by name; a value may be empty, a name need not be UTF-8.',
    [
      {
        xattrs: [
          [bin('security.capability'), fixed('capability', 20)],
          [bin('user.\xff'), NOTHING],
          [bin('user.b'), bin('1')],
        ].sort((x, y) => Buffer.compare(/** @type {Buffer} */ (x[0]), /** @type {Buffer} */ (y[0]))),
      },
    ],
  ],
  [
    'holes',
    'Content and holes together make the size: at the start, between data, at the end, and nothing but a hole.',
    [
      {
        name: bin('a'),
        size: 30,
        content: [0, records(['c', 10])],
        holes: [
          [0, 5],
          [6, 15],
        ],
      },
      { name: bin('b'), size: 1_000_000, content: [0, records(['c', 10])], holes: [[10, 999_990]] },
      { name: bin('c'), size: 2n ** 53n - 1n, holes: [[0, 2n ** 53n - 1n]] },
    ],
  ],
  [
    'content',
    'Content of several chunks, of chunk lists, and of the longest chunk.',
    [
      { name: bin('a'), size: 8_388_611, content: [0, records(['x', 8_388_608], ['y', 3])] },
      { name: bin('b'), size: 20_000_000, content: [1, records(['x', 20_000_000])] },
      {
        name: bin('c'),
        size: 64,
        content: [0, records(...Array.from({ length: 64 }, (_, i) => /** @type {const} */ ([`${i}`, 1])))],
      },
      { name: bin('d'), kind: 2, content: [4, records(['x', 9_000_000], ['y', 7])] },
    ],
  ],
];

/** Entries in bytes that are not as the page says, and why. @type {readonly (readonly [string, string, Fields])[]} */
const BAD = [
  ['name-empty', 'Only the root of an archive has an empty name.', { name: NOTHING }],
  ['name-dot', 'A name is not `.`.', { name: bin('.') }],
  ['name-dot-dot', 'A name is not `..`: it would lead out of the directory.', { name: bin('..') }],
  ['name-slash', 'A name has no slash.', { name: bin('a/b') }],
  ['name-absolute', 'A name is no path.', { name: bin('/etc') }],
  ['name-nul', 'A name has no NUL.', { name: bin('a\0b') }],
  ['name-long', 'A name has at most 255 bytes.', { name: Buffer.alloc(256, 'n') }],
  ['name-text', 'A name is bin, not str.', { name: 'name' }],
  ['kind-0', 'There is no entry of kind 0.', { kind: 0 }],
  ['kind-8', 'There is no entry of kind 8.', { kind: 8 }],
  ['mode', 'A mode has 12 bits.', { mode: 0o10000 }],
  ['uid', 'An owner has 32 bits.', { uid: 2 ** 32 }],
  ['gid', 'A group is not negative.', { gid: -1 }],
  ['mtime', 'A time of change has 64 bits with a sign.', { mtime: 2n ** 63n }],
  ['mtime-nil', 'The time of change is always there.', { mtime: null }],
  ['size-negative', 'A size is not negative.', { size: -1 }],
  ['size-huge', 'A size is at most 2^53-1.', { size: 2n ** 53n, holes: [[0, 2n ** 53n]] }],
  ['inode', 'An inode number is not negative.', { inode: -1 }],
  ['user', 'The name of an owner is text.', { user: bin('root') }],
  ['link', 'A link group is at most 2^53-1.', { link: 2n ** 53n }],
  ['device-none', 'A device has a number.', { kind: 5 }],
  ['device-file', 'A file has no device number.', { device: [1, 3] }],
  ['device-long', 'A device number has two parts.', { kind: 6, device: [1, 2, 3] }],
  ['device-huge', 'Each part of a device number has 32 bits.', { kind: 6, device: [1, 2 ** 32] }],
  ['target-none', 'A symlink has a target.', { kind: 3 }],
  ['target-file', 'A file has no target.', { target: bin('x') }],
  ['target-empty', 'A target is not empty.', { kind: 3, target: NOTHING }],
  ['target-nul', 'A target has no NUL.', { kind: 3, target: bin('a\0') }],
  ['target-long', 'A target has at most 4,095 bytes.', { kind: 3, target: Buffer.alloc(4096, 'x') }],
  ['xattrs-empty', 'No attributes are nil, not an empty array.', { xattrs: [] }],
  [
    'xattrs-order',
    'Attributes do not ascend.',
    {
      xattrs: [
        [bin('b'), NOTHING],
        [bin('a'), NOTHING],
      ],
    },
  ],
  [
    'xattrs-twice',
    'An attribute is there twice.',
    {
      xattrs: [
        [bin('a'), NOTHING],
        [bin('a'), NOTHING],
      ],
    },
  ],
  ['xattrs-name', 'The name of an attribute is not empty.', { xattrs: [[NOTHING, NOTHING]] }],
  ['xattrs-nul', 'The name of an attribute has no NUL.', { xattrs: [[bin('user.\0'), NOTHING]] }],
  [
    'xattrs-long-name',
    'The name of an attribute has at most 255 bytes.',
    { xattrs: [[Buffer.alloc(256, 'x'), NOTHING]] },
  ],
  ['xattrs-long', 'The value of an attribute has at most 64 KiB.', { xattrs: [[bin('user.a'), Buffer.alloc(65_537)]] }],
  ['flags', 'Flags have 32 bits.', { flags: 2 ** 32 }],
  ['holes-empty', 'No holes are nil, not an empty array.', { holes: [] }],
  ['holes-directory', 'A directory has no holes.', { kind: 2, holes: [[0, 1]] }],
  ['holes-zero', 'A hole is not empty.', { size: 10, content: [0, records(['c', 10])], holes: [[0, 0]] }],
  [
    'holes-touch',
    'Holes do not touch.',
    {
      size: 20,
      content: [0, records(['c', 10])],
      holes: [
        [0, 5],
        [5, 5],
      ],
    },
  ],
  [
    'holes-order',
    'Holes do not ascend.',
    {
      size: 20,
      content: [0, records(['c', 10])],
      holes: [
        [6, 5],
        [0, 5],
      ],
    },
  ],
  ['holes-beyond', 'A hole ends after the file.', { size: 20, content: [0, records(['c', 10])], holes: [[15, 10]] }],
  ['content-none', 'A file has a content, though it be empty.', { content: null }],
  ['content-directory-none', 'A directory has a content, though it be empty.', { kind: 2, content: null }],
  ['content-fifo', 'A FIFO has no content.', { kind: 4, content: [0, NOTHING] }],
  ['content-short', 'The content is shorter than the size.', { size: 11, content: [0, records(['c', 10])] }],
  ['content-long', 'The content is longer than the size.', { size: 9, content: [0, records(['c', 10])] }],
  ['content-half', 'The content ends in a record.', { size: 10, content: [0, records(['c', 10]).subarray(0, -1)] }],
  ['content-zero', 'A record has at least one byte.', { size: 10, content: [0, records(['c', 10], ['d', 0])] }],
  ['content-chunk', 'A chunk has at most 8 MiB.', { size: 8_388_609, content: [0, records(['c', 8_388_609])] }],
  ['content-level', 'There are at most four levels of chunk lists.', { size: 10, content: [5, records(['c', 10])] }],
  ['content-empty-level', 'An empty content has level 0.', { content: [1, NOTHING] }],
  [
    'content-many',
    'An entry holds at most 64 records.',
    { size: 65, content: [0, records(...Array.from({ length: 65 }, (_, i) => /** @type {const} */ ([`${i}`, 1])))] },
  ],
  [
    'content-sum',
    'A sum of lengths beyond 2^53-1 is refused.',
    { kind: 2, content: [1, records(['c', 2n ** 52n], ['d', 2n ** 52n])] },
  ],
  [
    'content-wrap',
    'Lengths that together pass 2^64 do not wrap around.',
    { kind: 2, content: [1, records(['c', 2n ** 63n], ['d', 2n ** 63n])] },
  ],
  ['directory-size', 'A directory has size 0.', { kind: 2, size: 10, content: [0, records(['c', 10])] }],
  ['state', 'Only one bit of the state is known.', { state: 2 }],
];

/** @param {Value[]} array @returns {TreeEntry} */
function entryOf(array) {
  const [
    name,
    kind,
    mode,
    uid,
    gid,
    mtime,
    ctime,
    size,
    inode,
    user,
    group,
    link,
    device,
    target,
    xattrs,
    flags,
    holes,
    content,
    state,
  ] = /** @type {any[]} */ (array);
  const latin1 = (/** @type {Buffer | null} */ bytes) => bytes && bytes.toString('latin1');
  return {
    name: latin1(name) ?? '',
    kind,
    mode,
    uid,
    gid,
    mtimeNs: BigInt(mtime),
    ctimeNs: BigInt(ctime),
    size: Number(size),
    inode: BigInt(inode),
    user,
    group,
    link,
    device,
    target: latin1(target),
    xattrs: xattrs && xattrs.map((/** @type {[Buffer, Buffer]} */ [own, value]) => [own.toString('latin1'), value]),
    flags,
    holes: holes && holes.map((/** @type {[number, number | bigint]} */ [at, length]) => [at, Number(length)]),
    content: content && { level: content[0], records: content[1], length: 0 },
    state,
  };
}

/** @returns {Generator<Named>} */
function* trees() {
  const encoder = new EntryEncoder();
  for (const [name, reason, list] of GOOD) {
    const arrays = list.map(values);
    const bytes = stream(...arrays.map((array) => encoder.encode(entryOf(array))));
    const names = arrays.map(([own]) => /** @type {Buffer} */ (own));
    yield ok('tree', name, reason, { stream: bytes }, { names, entries: arrays });
  }
  for (const [name, reason, fields] of BAD) yield fail('tree', name, reason, { stream: stream(encoded(fields)) });

  const [a, b] = [encoded({ name: bin('a') }), encoded({ name: bin('b') })];
  const plain = encoded({});
  /** @type {readonly (readonly [string, string, Bytes])[]} */
  const bad = [
    ['unsorted', 'Names do not ascend.', stream(b, a)],
    ['duplicate', 'A name is there twice.', stream(a, b, b)],
    ['truncated', 'The stream ends in an entry.', stream(a, b).subarray(0, -1)],
    ['truncated-length', 'The stream ends in a length.', join(stream(a), Buffer.alloc(3))],
    ['entry-empty', 'An entry has no bytes.', stream(a, Buffer.alloc(0))],
    ['entry-limit', 'An entry claims more than 2 MiB.', join(u32(2 ** 21 + 1), a)],
    ['entry-claim', 'An entry claims all that 32 bits can say.', join(u32(0xffff_ffff), a)],
    ['entry-trailing', 'An entry has a byte after its array.', stream(join(a, Buffer.of(0xc0)))],
    ['entry-short', 'An entry lacks its last field.', stream(encodeMsgpack(values().slice(0, -1)))],
    ['entry-long', 'An entry has a field more than version 1 has.', stream(encodeMsgpack([...values(), null]))],
    ['entry-map', 'An entry is a map.', stream(Buffer.from('80', 'hex'))],
    ['spelling-integer', 'A mode is not in its shortest form.', stream(respelt(plain, 'cd01a4', 'ce000001a4'))],
    [
      'spelling-fixint',
      'A small number is spelt with two bytes.',
      stream(respelt(plain, 'cd01a4cd03e864', 'cd01a4cd03e8cc64')),
    ],
    [
      'spelling-bin',
      'The length of a name takes two bytes where one is enough.',
      stream(respelt(plain, 'c4046e616d65', 'c500046e616d65')),
    ],
    [
      'spelling-array',
      'The length of an entry takes four bytes where two are enough.',
      stream(respelt(plain, 'dc0013', 'dd00000013')),
    ],
    ['spelling-signed', 'A number from 0 up has the signed form.', stream(respelt(plain, 'cd01a4', 'd101a4'))],
    ['float', 'A number is a float.', stream(respelt(plain, 'cd01a4', 'ca43d20000'))],
    ['extension', 'A time is an extension of MessagePack.', stream(respelt(plain, 'cd01a4', 'd6ff00000000'))],
    ['never-used', 'The byte c1 is never used.', stream(respelt(plain, 'cd01a4', 'c1'))],
    [
      'nested',
      'A field is nested more deeply than is allowed.',
      stream(respelt(plain, 'cd01a4', `${'91'.repeat(20)}00`)),
    ],
  ];
  for (const [name, reason, bytes] of bad) yield fail('tree', name, reason, { stream: bytes });
}

/** @returns {Generator<Named>} */
function* chunkLists() {
  /** @type {readonly (readonly [string, string, number, readonly (readonly [string, number])[]])[]} */
  const good = [
    [
      'chunks',
      'At level 0 the records are chunks of content.',
      0,
      [
        ['a', 1],
        ['b', 8_388_608],
      ],
    ],
    [
      'lists',
      'At level 1 they are lists, and may be of any length.',
      1,
      [
        ['a', 2 ** 52],
        ['b', 1],
      ],
    ],
    [
      'boundary',
      'A list ends after an id that begins with 12 zero bits; where it was cut is not judged.',
      3,
      [['a', 5]],
    ],
  ];
  for (const [name, reason, level, parts] of good) {
    const list = records(...parts);
    if (name === 'boundary') list.set([0, 0x0f], 0);
    const outputs = parts.map(([, length], i) => ({ id: list.subarray(40 * i, 40 * i + 32), length }));
    yield ok('chunk-list', name, reason, { list, level }, { records: outputs });
  }
  /** @type {readonly (readonly [string, string, number, Bytes])[]} */
  const bad = [
    ['empty', 'A chunk list is not empty.', 0, NOTHING],
    ['half', 'A chunk list ends in a record.', 0, records(['a', 1]).subarray(0, -1)],
    ['zero', 'A record of a chunk list has at least one byte.', 0, records(['a', 1], ['b', 0])],
    ['zero-list', 'A list of nothing is not referred to.', 2, records(['a', 0])],
    ['chunk', 'A chunk in a list has at most 8 MiB.', 0, records(['a', 8_388_609])],
    ['sum', 'The lengths of a list together pass 2^53-1.', 1, records(['a', 2n ** 52n], ['b', 2n ** 52n])],
    ['huge', 'A length that no number holds is refused.', 1, records(['a', 2n ** 64n - 1n])],
  ];
  for (const [name, reason, level, list] of bad) yield fail('chunk-list', name, reason, { list, level });
}

/** @returns {Generator<Named>} */
export function* treeVectors() {
  yield* trees();
  yield* chunkLists();
}
