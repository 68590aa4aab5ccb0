// @ts-check
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { LOG_KIND_NUMBER } from '../../packages/core/dist/log/decision.js';
import { encodeLogFrame } from '../../packages/core/dist/log/entry.js';
import { encodeLogEntry } from '../../packages/core/dist/log/kinds.js';
import { encodeConfig } from '../../packages/core/dist/repository/config.js';
import { hkdf, hmac, i64, join, label, seal, u32, u64 } from './page.mjs';
import { encodeMsgpack, replaced, respelt } from './msgpack.mjs';
import { fail, FINGERPRINT, fixed, fixedRandom, flipped, ok, REPO, SECRETS, TIME } from './samples.mjs';
import { rootEntry } from './trees.mjs';

/** @typedef {import('./samples.mjs').Named} Named */
/** @typedef {import('./samples.mjs').Bytes} Bytes */
/** @typedef {import('./msgpack.mjs').Value} Value */
/** @typedef {import('../../packages/core/dist/log/kinds.js').LogEntry} LogEntry */

const DATA = [524_288, 1_048_576, 8_388_608];
const TREE = [16_384, 65_536, 524_288];
/** @param {readonly number[]} three */
const chunker = ([min = 0, average = 0, max = 0]) => ({ min, average, max });

/** A config by the page, of whatever body, with a tag that fits. @param {Bytes} body @param {(prefix: Buffer) => unknown} [change] */
function forgedConfig(body, change = () => undefined) {
  const prefix = join(Buffer.from('CRNC\x01\0\0\0', 'latin1'), u32(body.length));
  change(prefix);
  const bytes = join(prefix, body);
  return join(bytes, hmac(hkdf(SECRETS.log, REPO, label('config')), bytes));
}

/** @returns {Generator<Named>} */
function* configs() {
  const inputs = { log: SECRETS.log };
  const values = [REPO, FINGERPRINT, TIME, [], DATA, TREE];
  const body = encodeMsgpack(values);
  const config = {
    repo: REPO,
    fingerprint: FINGERPRINT,
    createdNs: TIME,
    features: [],
    chunkerData: chunker(DATA),
    chunkerTree: chunker(TREE),
  };
  const object = encodeConfig(nodeSuite, SECRETS.log, config);
  const outputs = { fingerprint: FINGERPRINT, features: [], chunkers: { data: DATA, tree: TREE } };
  yield ok('config', 'default', 'A repository with the parameters that programs use.', { object, ...inputs }, outputs);
  const small = [1024, 1024, 1024];
  const before = {
    ...config,
    createdNs: -1n,
    chunkerData: chunker(small),
    chunkerTree: chunker([1024, 8_388_608, 8_388_608]),
  };
  yield ok(
    'config',
    'bounds',
    'The least and the greatest chunker parameters, and a time before 1970.',
    { object: encodeConfig(nodeSuite, SECRETS.log, before), ...inputs },
    { ...outputs, chunkers: { data: small, tree: [1024, 8_388_608, 8_388_608] } },
  );
  /** @param {number} at @param {Value} value */
  const having = (at, value) => ({ ...inputs, object: forgedConfig(encodeMsgpack(replaced(values, at, value))) });
  /** @param {(prefix: Buffer) => unknown} change */
  const prefixed = (change) => ({ ...inputs, object: forgedConfig(body, change) });
  /** @type {readonly (readonly [string, string, Record<string, Bytes>])[]} */
  const bad = [
    ['flipped-tag', 'The tag does not fit.', { ...inputs, object: flipped(object, -1) }],
    [
      'flipped-body',
      'The fingerprint was changed by somebody without the log key.',
      { ...inputs, object: flipped(object, 35) },
    ],
    ['other-log', 'The tag is under another log key.', { object, log: fixed('another', 32) }],
    ['magic', 'It does not begin as a config.', prefixed((p) => p.write('CRNL', 'latin1'))],
    ['version', 'A repository of version 2 needs a newer program.', prefixed((p) => p.writeUInt8(2, 4))],
    ['reserved', 'Reserved bytes of a config are not zero.', prefixed((p) => p.writeUInt8(1, 7))],
    ['length', 'The length of the body does not fit the object.', prefixed((p) => p.writeUInt32LE(body.length - 1, 8))],
    ['truncated', 'The config ends in its tag.', { ...inputs, object: object.subarray(0, -1) }],
    ['trailing', 'A byte stands after the config.', { ...inputs, object: join(object, Buffer.of(0)) }],
    ['feature', 'A feature that a reader does not know must not be passed over.', having(3, ['sparse-index'])],
    ['min', 'A chunker may not cut below 1,024 bytes.', having(4, [1023, 2048, 4096])],
    ['average', 'The average is below the least length.', having(5, [4096, 2048, 8192])],
    ['max', 'The greatest length is beyond 8 MiB.', having(4, [1024, 2048, 8_388_609])],
    ['repo', 'The repository uid has 15 bytes.', having(0, REPO.subarray(1))],
    ['time', 'The time is beyond 64 bits with a sign.', having(2, 2n ** 63n)],
    [
      'fields',
      'A field more than version 1 has.',
      { ...inputs, object: forgedConfig(encodeMsgpack([...values, null])) },
    ],
    [
      'body-trailing',
      'The body has a byte after its array.',
      { ...inputs, object: forgedConfig(join(body, Buffer.of(0xc0))) },
    ],
    [
      'spelling',
      'A number of the body is not in its shortest form.',
      { ...inputs, object: forgedConfig(respelt(body, 'cd4000', 'ce00004000')) },
    ],
    ['map', 'The body is a map.', { ...inputs, object: forgedConfig(Buffer.from('80', 'hex')) }],
  ];
  for (const [name, reason, given] of bad) yield fail('config', name, reason, given);
}

const ARCHIVE = fixed('archive', 16);
const hex = (/** @type {Bytes} */ bytes) => Buffer.from(bytes).toString('hex');
const [OTHER, PIN] = [hex(fixed('another archive', 16)), hex(fixed('pin', 16))];
const [PACK, SEGMENT] = [hex(fixed('a pack', 32)), hex(fixed('a segment', 32))];
const STATS = [1, 2, 0, 5, 5, 38, 2, 2];

/** The descriptor as the array of the page. @returns {Value[]} */
const descriptorValues = () => [
  ARCHIVE,
  'home',
  'home-2026-11-21T08-15-02Z',
  'höst',
  'user',
  TIME,
  TIME + 1_500_000_000n,
  [Buffer.from('/home'), Buffer.from('/srv/\xff', 'latin1')],
  rootEntry(),
  STATS,
  [['vanished', 2]],
  DATA,
  TREE,
  null,
  true,
  'cairn 0.1.0',
  ['daily', 'x'],
  'a comment',
];

/** @returns {import('../../packages/core/dist/log/descriptor.js').ArchiveDescriptor} */
function descriptor() {
  const [files = 0, directories = 0, others = 0, bytes = 0, newBytes = 0, storedBytes = 0, chunks = 0, newChunks = 0] =
    STATS;
  return {
    id: ARCHIVE,
    series: 'home',
    name: 'home-2026-11-21T08-15-02Z',
    host: 'höst',
    user: 'user',
    startNs: TIME,
    endNs: TIME + 1_500_000_000n,
    paths: [Buffer.from('/home'), Buffer.from('/srv/\xff', 'latin1')],
    root: rootEntry(),
    stats: { files, directories, others, bytes, newBytes, storedBytes, chunks, newChunks },
    warnings: [['vanished', 2]],
    chunkerData: chunker(DATA),
    chunkerTree: chunker(TREE),
    parent: null,
    complete: true,
    program: 'cairn 0.1.0',
    tags: ['daily', 'x'],
    comment: 'a comment',
  };
}

const raw = (/** @type {string} */ text) => Buffer.from(text, 'hex');

/** Each entry as packages/core takes it, and the two parts as the page has them. @type {readonly (readonly [string, string, LogEntry, Value, Value])[]} */
const ENTRIES = [
  [
    'commit',
    'An archive exists from here on.',
    {
      kind: 'COMMIT',
      archive: hex(ARCHIVE),
      base: null,
      segments: [SEGMENT],
      rescuedPacks: [],
      rescuedSegments: [],
      descriptor: descriptor(),
    },
    [ARCHIVE, null, [raw(SEGMENT)], [], []],
    descriptorValues(),
  ],
  [
    'commit-rescue',
    'A commit that builds on another archive and rescues what it needs.',
    {
      kind: 'COMMIT',
      archive: hex(ARCHIVE),
      base: OTHER,
      segments: [],
      rescuedPacks: [PACK],
      rescuedSegments: [SEGMENT],
      descriptor: descriptor(),
    },
    [ARCHIVE, raw(OTHER), [], [raw(PACK)], [raw(SEGMENT)]],
    descriptorValues(),
  ],
  [
    'delete',
    'Two archives are hidden.',
    { kind: 'DELETE', archives: [hex(ARCHIVE), OTHER], reason: 'asked for' },
    [[ARCHIVE, raw(OTHER)]],
    ['asked for'],
  ],
  ['undelete', 'An archive is shown again.', { kind: 'UNDELETE', archives: [OTHER], reason: '' }, [[raw(OTHER)]], ['']],
  [
    'annotate',
    'Nil leaves as it was, an empty list does not.',
    { kind: 'ANNOTATE', archives: [OTHER], protect: true, name: null, comment: 'ünï', tags: [] },
    [[raw(OTHER)], true],
    [null, 'ünï', []],
  ],
  [
    'annotate-nothing',
    'An annotation may leave everything as it was.',
    { kind: 'ANNOTATE', archives: [], protect: null, name: null, comment: null, tags: null },
    [[], null],
    [null, null, null],
  ],
  [
    'pin',
    'A reader claims an archive until a time.',
    { kind: 'PIN', pin: PIN, archives: [OTHER], until: TIME, holder: 'mount' },
    [raw(PIN), [raw(OTHER)], TIME],
    ['mount'],
  ],
  ['unpin', 'The claim ends; the sealed part is an empty array.', { kind: 'UNPIN', pin: PIN }, [raw(PIN)], []],
  [
    'condemn',
    'An archive stops being a root, and objects will go.',
    { kind: 'CONDEMN', dropped: [OTHER], packs: [PACK], segments: [SEGMENT], reason: 'retention' },
    [[raw(OTHER)], [raw(PACK)], [raw(SEGMENT)]],
    ['retention'],
  ],
  [
    'sweep',
    'Objects may be removed, now and for ever.',
    { kind: 'SWEEP', packs: [PACK], segments: [] },
    [[raw(PACK)], []],
    [],
  ],
  ['index', 'A segment was written outside a commit.', { kind: 'INDEX', segments: [SEGMENT] }, [[raw(SEGMENT)]], []],
  [
    'check',
    'A check was done; its public part is an empty array.',
    {
      kind: 'CHECK',
      startedNs: -1n,
      endedNs: 2n ** 63n - 1n,
      level: 'full',
      objects: 5,
      bytes: 2 ** 53 - 1,
      findings: 2,
      damage: [
        { pack: PACK, places: [2 ** 26, 300] },
        { pack: SEGMENT, places: null },
      ],
      lostSegments: [SEGMENT],
    },
    [],
    [
      -1,
      2n ** 63n - 1n,
      'full',
      5,
      2 ** 53 - 1,
      2,
      [
        [raw(PACK), [2 ** 26, 300]],
        [raw(SEGMENT), null],
      ],
      [raw(SEGMENT)],
    ],
  ],
  [
    'rescue',
    'Condemned objects stay.',
    { kind: 'RESCUE', packs: [PACK], segments: [SEGMENT], reason: 'found in use' },
    [[raw(PACK)], [raw(SEGMENT)]],
    ['found in use'],
  ],
];

/** An entry by the page, of whatever parts. @param {number} kind @param {Bytes} open @param {Bytes} shut @param {(head: Buffer) => unknown} [change] */
function forgedEntry(kind, open, shut, change = () => undefined) {
  const salt = fixed('salt of an entry', 16);
  const start = [Buffer.from('CRNL\x01\0\0\0', 'latin1'), u64(5), fixed('previous', 32), i64(TIME), salt];
  const head = join(...start, u32(open.length), u32(shut.length + 28), open);
  head[5] = kind;
  change(head);
  const key = hkdf(SECRETS.log, salt, label('log entry'));
  return join(head, seal(key, fixed('nonce of an entry', 12), shut, join(label('log'), head)));
}

/** @returns {Generator<Named>} */
function* entries() {
  const inputs = { log: SECRETS.log };
  for (const [i, [name, reason, entry, open, shut]] of ENTRIES.entries()) {
    const previous = fixed(`previous of ${name}`, 32);
    const time = name === 'check' ? -1_000_000_001n : TIME + BigInt(i);
    const frame = { kind: LOG_KIND_NUMBER[entry.kind], seq: i + 1, previous, timeNs: time, ...encodeLogEntry(entry) };
    const object = encodeLogFrame(nodeSuite, fixedRandom(`entry ${name}`), SECRETS.log, frame);
    yield ok(
      'log-entry',
      name,
      reason,
      { ...inputs, object },
      {
        kind: LOG_KIND_NUMBER[entry.kind],
        seq: i + 1,
        previous,
        time,
        public: encodeMsgpack(open),
        sealed: encodeMsgpack(shut),
      },
    );
  }
  yield* badFrames(inputs);
  yield* badParts(inputs);
}

/** @param {{ log: Bytes }} inputs @returns {Generator<Named>} */
function* badFrames(inputs) {
  const [open, shut] = [encodeMsgpack([[raw(SEGMENT)]]), encodeMsgpack([])];
  const object = forgedEntry(9, open, shut);
  /** @param {(head: Buffer) => unknown} change */
  const headed = (change) => ({ ...inputs, object: forgedEntry(9, open, shut, change) });
  /** @type {readonly (readonly [string, string, Record<string, Bytes>])[]} */
  const bad = [
    ['magic', 'It does not begin as a log entry.', headed((h) => h.write('CRNC', 'latin1'))],
    ['version', 'A log entry of version 2 is not known.', headed((h) => h.writeUInt8(2, 4))],
    ['kind-0', 'There is no kind 0.', headed((h) => h.writeUInt8(0, 5))],
    ['kind-12', 'Kind 12 is of a newer program.', headed((h) => h.writeUInt8(12, 5))],
    ['reserved', 'Reserved bytes of a log entry are not zero.', headed((h) => h.writeUInt8(1, 6))],
    ['seq-0', 'Slots begin with 1.', headed((h) => h.writeBigUInt64LE(0n, 8))],
    ['seq-huge', 'A slot number beyond 2^53-1 is refused.', headed((h) => h.writeBigUInt64LE(2n ** 53n, 8))],
    ['lengths', 'The lengths of the parts do not fit the object.', headed((h) => h.writeUInt32LE(0xffff_ffff, 76))],
    [
      'length-public',
      'The public part would reach beyond the object.',
      headed((h) => h.writeUInt32LE(0xffff_fff0, 72)),
    ],
    ['other-log', 'The sealed part does not open under another log key.', { object, log: fixed('another', 32) }],
    ['flipped-time', 'The time is bound to the sealed part.', { ...inputs, object: flipped(object, 50) }],
    [
      'flipped-previous',
      'The hash of the slot before is bound to the sealed part.',
      { ...inputs, object: flipped(object, 20) },
    ],
    [
      'flipped-public',
      'A changed public part is noticed, though it is not sealed.',
      { ...inputs, object: flipped(object, 90) },
    ],
    ['flipped-tag', 'A changed tag of a log entry does not open.', { ...inputs, object: flipped(object, -1) }],
    ['truncated', 'The last byte of the entry is missing.', { ...inputs, object: object.subarray(0, -1) }],
    ['truncated-head', 'The entry ends in its head.', { ...inputs, object: object.subarray(0, 79) }],
    ['trailing', 'A byte stands after the entry.', { ...inputs, object: join(object, Buffer.of(0)) }],
  ];
  for (const [name, reason, given] of bad) yield fail('log-entry', name, reason, given);
}

/** @param {{ log: Bytes }} inputs @returns {Generator<Named>} */
function* badParts(inputs) {
  const commit = encodeMsgpack([ARCHIVE, null, [], [], []]);
  /** @param {number} kind @param {Bytes} open @param {Bytes} shut */
  const entry = (kind, open, shut) => ({ ...inputs, object: forgedEntry(kind, open, shut) });
  /** @param {number} at @param {Value} value */
  const described = (at, value) => entry(1, commit, encodeMsgpack(replaced(descriptorValues(), at, value)));
  const [empty, reason_, two] = [encodeMsgpack([]), encodeMsgpack(['r']), encodeMsgpack([[ARCHIVE], null])];
  const index = encodeMsgpack([[raw(SEGMENT)]]);
  const rootWithName = Buffer.from(respelt(rootEntry(), 'dc0013c400', 'dc0013c40178'));
  /** @type {readonly (readonly [string, string, Record<string, Bytes>])[]} */
  const bad = [
    ['public-long', 'The public part has a field more.', entry(9, encodeMsgpack([[raw(SEGMENT)], null]), empty)],
    ['public-short', 'The public part lacks a field.', entry(8, index, empty)],
    ['public-nil', 'The public part is no array.', entry(9, encodeMsgpack(null), empty)],
    ['public-trailing', 'The public part has a byte after its array.', entry(9, join(index, Buffer.of(0xc0)), empty)],
    [
      'public-spelling',
      'The length of a name in the public part is not in its shortest form.',
      entry(9, respelt(index, 'c420', 'c50020'), empty),
    ],
    ['public-map', 'The public part is a map.', entry(9, Buffer.from('80', 'hex'), empty)],
    [
      'public-claim',
      'The public part claims an array of four thousand million items.',
      entry(9, Buffer.from('91ddffffffff', 'hex'), empty),
    ],
    ['sealed-long', 'The sealed part has a field more.', entry(9, index, encodeMsgpack([null]))],
    ['sealed-short', 'The sealed part lacks its reason.', entry(2, encodeMsgpack([[ARCHIVE]]), empty)],
    ['sealed-trailing', 'The sealed part has a byte after its array.', entry(9, index, join(empty, Buffer.of(0xc0)))],
    ['sealed-utf8', 'A text is not UTF-8.', entry(2, encodeMsgpack([[ARCHIVE]]), Buffer.from('91a1ff', 'hex'))],
    ['archive-id', 'An archive id has 15 bytes.', entry(2, encodeMsgpack([[ARCHIVE.subarray(1)]]), reason_)],
    ['object-name', 'An object name has 16 bytes.', entry(9, encodeMsgpack([[ARCHIVE]]), empty)],
    [
      'protect',
      'Protection is neither a boolean nor nil.',
      entry(4, encodeMsgpack([[ARCHIVE], 1]), encodeMsgpack([null, null, null])),
    ],
    ['until', 'A time beyond 64 bits with a sign.', entry(5, encodeMsgpack([ARCHIVE, [], 2n ** 63n]), reason_)],
    ['count', 'A count below zero.', entry(10, empty, encodeMsgpack([1, 2, 'full', -1, 0, 0]))],
    ['count-huge', 'A count beyond 2^53-1.', entry(10, empty, encodeMsgpack([1, 2, 'full', 2n ** 53n, 0, 0]))],
    [
      'commit-other',
      'The two parts of a commit name different archives.',
      entry(1, encodeMsgpack([raw(OTHER), null, [], [], []]), encodeMsgpack(descriptorValues())),
    ],
    [
      'commit-fields',
      'The descriptor has a field more than version 1 has.',
      entry(1, commit, encodeMsgpack([...descriptorValues(), null])),
    ],
    ['commit-stats', 'The statistics lack a number.', described(9, STATS.slice(1))],
    ['commit-chunker', 'The descriptor names chunker parameters that cannot be.', described(11, [1023, 2048, 4096])],
    ['commit-parent', 'The parent is an id of 15 bytes.', described(13, ARCHIVE.subarray(1))],
    ['commit-complete', 'Completeness is a boolean.', described(14, null)],
    ['commit-warning', 'A warning is a kind and a count.', described(10, [['vanished']])],
    ['commit-root', 'The root of an archive has no name.', described(8, rootWithName)],
    [
      'commit-sealed-as-annotate',
      'A descriptor is no sealed part of another kind.',
      entry(4, two, encodeMsgpack(descriptorValues())),
    ],
  ];
  for (const [name, reason, given] of bad) yield fail('log-entry', name, reason, given);
}

/** @returns {Generator<Named>} */
export function* logVectors() {
  yield* configs();
  yield* entries();
}
