// @ts-check
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { encodeSegment } from '../../packages/core/dist/index/segment.js';
import { encodePackHeader, PACK_RECORD_BYTES, writePackRecord } from '../../packages/core/dist/pack/layout.js';
import { hkdf, join, label, seal, sha256, u16, u32 } from './page.mjs';
import { fail, fixed, fixedRandom, flipped, LOCATION_KEYS, ok, patched, REPO, SECRETS } from './samples.mjs';

/** @typedef {import('./samples.mjs').Named} Named */
/** @typedef {import('./samples.mjs').Bytes} Bytes */
/** @typedef {{ type: 1 | 2 | 3, session: number, offset: number, storedLen: number, rawLen: number, id: Buffer }} Record_ */
/** @typedef {{ sid: Buffer, epk: Buffer }} Session */

const MAX_CHUNK = 8 * 1024 * 1024;
const NO_CHANGE = () => undefined;

/** @param {number} number @returns {Session} */
const session = (number) => ({ sid: fixed(`sid ${number}`, 16), epk: fixed(`epk ${number}`, 32) });

/** Records of chunks back to back. @param {readonly (readonly [type: 1 | 2 | 3, storedLen: number, session?: number])[]} chunks @returns {Record_[]} */
function recordsOf(chunks) {
  let offset = 0;
  return chunks.map(([type, storedLen, number = 0], i) => {
    const record = { type, session: number, offset, storedLen, rawLen: 3 * storedLen, id: fixed(`chunk ${i}`, 32) };
    offset += storedLen;
    return record;
  });
}

/** @param {readonly Record_[]} records */
function encodeRecords(records) {
  const bytes = Buffer.alloc(PACK_RECORD_BYTES * records.length);
  records.forEach(({ storedLen: storedLength, rawLen: rawLength, ...rest }, i) => {
    writePackRecord(bytes, i, { ...rest, storedLength, rawLength });
  });
  return bytes;
}

/** A pack by packages/core; what lies in it is not looked at. @param {1 | 2} kind @param {readonly Session[]} sessions @param {readonly Record_[]} records */
function packOf(kind, sessions, records, padding = 0) {
  const header = { kind, sessions, records: encodeRecords(records) };
  const head = encodePackHeader(nodeSuite, fixedRandom(`pack ${kind} ${records.length}`), LOCATION_KEYS, header);
  const length = records.reduce((sum, { storedLen }) => sum + storedLen, 0);
  return { object: join(head, fixed('sealed chunks', length), fixed('padding', padding)), dataStart: head.length };
}

/**
 * A pack by the page, of whatever header: only a holder of `loc` can make it.
 * @param {Bytes} header @param {(prefix: Buffer) => unknown} [change]
 */
function forgedPack(header, change = NO_CHANGE, room = 200) {
  const salt = fixed('salt of a pack', 16);
  const { sid, epk } = session(0);
  const start = [
    Buffer.from('CRNP\x01\x02\0\0', 'latin1'),
    REPO,
    salt,
    u16(1),
    u16(0),
    u32(header.length + 28),
    sid,
    epk,
  ];
  const prefix = join(...start);
  change(prefix);
  const key = hkdf(SECRETS.loc, salt, label('pack header'));
  return join(
    prefix,
    seal(key, fixed('nonce of a pack', 12), header, join(label('pack'), prefix)),
    fixed('chunks', room),
  );
}

/** @returns {Generator<Named>} */
function* packs() {
  const inputs = { loc: SECRETS.loc, repo: REPO };
  /** @type {readonly (readonly [string, string, 1 | 2, number, Parameters<typeof recordsOf>[0], number])[]} */
  const good = [
    [
      'data',
      'A data pack holds chunks of type 1.',
      1,
      1,
      [
        [1, 100],
        [1, 34],
      ],
      0,
    ],
    [
      'tree',
      'A tree pack holds chunks of types 2 and 3, and may be padded.',
      2,
      1,
      [
        [2, 60],
        [3, 50],
        [2, 70],
      ],
      23,
    ],
    [
      'sessions',
      'Compaction gathers chunks of several sessions.',
      1,
      3,
      [
        [1, 40, 2],
        [1, 50, 0],
        [1, 60, 1],
      ],
      0,
    ],
    ['no-chunks', 'A pack may hold no chunk at all.', 2, 1, [], 0],
  ];
  for (const [name, reason, kind, sessionCount, chunks, padding] of good) {
    const sessions = Array.from({ length: sessionCount }, (_, i) => session(i));
    const records = recordsOf(chunks);
    const { object, dataStart } = packOf(kind, sessions, records, padding);
    yield ok('pack', name, reason, { ...inputs, object }, { kind, dataStart, sessions, records });
  }

  const records = recordsOf([
    [2, 60],
    [3, 50],
  ]);
  const header = join(u32(2), encodeRecords(records));
  const [object] = [forgedPack(header)];
  const headerBytes = 96 + 28 + header.length;
  /** @param {Partial<Record_>} change */
  const changed = (change) => {
    const [first, second] = records;
    const list = first === undefined || second === undefined ? [] : [first, { ...second, ...change }];
    return { ...inputs, object: forgedPack(join(u32(2), encodeRecords(list))) };
  };
  /** @param {(prefix: Buffer) => unknown} change */
  const prefixed = (change) => ({ ...inputs, object: forgedPack(header, change) });
  /** @type {readonly (readonly [string, string, Record<string, Bytes>])[]} */
  const bad = [
    ['magic', 'It does not begin as a pack.', prefixed((p) => p.write('CRNI', 'latin1'))],
    ['version', 'Version 2 is not known.', prefixed((p) => p.writeUInt8(2, 4))],
    ['kind', 'Kind 3 is not known.', prefixed((p) => p.writeUInt8(3, 5))],
    ['reserved', 'Reserved bytes of the prefix are not zero.', prefixed((p) => p.writeUInt16LE(1, 6))],
    [
      'reserved-late',
      'Reserved bytes after the number of sessions are not zero.',
      prefixed((p) => p.writeUInt16LE(1, 42)),
    ],
    ['other-repo', 'It is of another repository than the key file.', prefixed((p) => p.set(fixed('another', 16), 8))],
    ['no-sessions', 'A pack has at least one session.', prefixed((p) => p.writeUInt16LE(0, 40))],
    ['many-sessions', 'A pack has at most 1,024 sessions.', prefixed((p) => p.writeUInt16LE(1025, 40))],
    [
      'header-length',
      'The sealed header would be longer than the object.',
      prefixed((p) => p.writeUInt32LE(100_000, 44)),
    ],
    [
      'header-limit',
      'The sealed header would be longer than that of 65,536 chunks.',
      prefixed((p) => p.writeUInt32LE(0xffff_ffff, 44)),
    ],
    [
      'other-loc',
      'The header does not open under another location key.',
      { ...inputs, object, loc: fixed('another', 32) },
    ],
    ['flipped-salt', 'The salt makes the key.', { ...inputs, object: flipped(object, 24) }],
    [
      'flipped-session',
      'The session table is additional data of the header.',
      { ...inputs, object: flipped(object, 50) },
    ],
    ['flipped-header', 'A changed byte of the header does not open.', { ...inputs, object: flipped(object, 110) }],
    [
      'flipped-tag',
      'A changed tag of the header does not open.',
      { ...inputs, object: flipped(object, headerBytes - 1) },
    ],
    ['truncated-prefix', 'The object ends in its prefix.', { ...inputs, object: object.subarray(0, 47) }],
    ['truncated-header', 'The object ends in its header.', { ...inputs, object: object.subarray(0, headerBytes - 1) }],
    ['truncated', 'The object ends in its last chunk.', { ...inputs, object: object.subarray(0, headerBytes + 109) }],
    ['type', 'A chunk of file data lies in a tree pack.', changed({ type: 1 })],
    ['unknown-type', 'There is no chunk of type 4.', changed({ type: /** @type {3} */ (4) })],
    ['session', 'A chunk names a session that is not in the table.', changed({ session: 1 })],
    ['outside', 'A chunk ends after the object.', changed({ storedLen: 1000 })],
    ['far-outside', 'A chunk begins after the object.', changed({ offset: 0xffff_ffff })],
    ['too-short', 'A sealed chunk has at least 34 bytes.', changed({ storedLen: 33 })],
    ['empty-chunk', 'There are no empty chunks.', changed({ rawLen: 0 })],
    ['too-long', 'A chunk has at most 8 MiB of content.', changed({ rawLen: MAX_CHUNK + 1 })],
    [
      'count-low',
      'More records follow than are counted.',
      { ...inputs, object: forgedPack(patched(header, 0, u32(1))) },
    ],
    [
      'count-high',
      'Fewer records follow than are counted.',
      { ...inputs, object: forgedPack(patched(header, 0, u32(3))) },
    ],
    ['half-record', 'The header ends in a record.', { ...inputs, object: forgedPack(header.subarray(0, -24)) }],
    ['no-count', 'The header is too short for its count.', { ...inputs, object: forgedPack(Buffer.alloc(3)) }],
    [
      'reserved-record',
      'The reserved byte of a record is not zero.',
      { ...inputs, object: forgedPack(patched(header, 5, Buffer.of(1))) },
    ],
  ];
  for (const [name, reason, given] of bad) yield fail('pack', name, reason, given);
}

/** A segment by the page, of whatever content. @param {Bytes} plaintext @param {(prefix: Buffer) => unknown} [change] */
function forgedSegment(plaintext, change = NO_CHANGE) {
  const salt = fixed('salt of a segment', 16);
  const prefix = join(Buffer.from('CRNI\x01\0\0\0', 'latin1'), REPO, salt);
  change(prefix);
  const key = hkdf(SECRETS.loc, salt, label('index segment'));
  return join(prefix, seal(key, fixed('nonce of a segment', 12), plaintext, join(label('index'), prefix)));
}

/** @typedef {{ size: number, dataStart: number, first: number, count: number, kind: number, zero: number }} Listed */
/** @typedef {{ id: Buffer, pack: number, offset: number, stored: number, raw: number, session: number, type: number, zero: number }} Entry */

/** The content of a segment by the page. @param {readonly Listed[]} listed @param {number} sessions @param {readonly Entry[]} entries @param {readonly number[]} [counts] */
function segmentContent(listed, sessions, entries, counts = [listed.length, sessions, entries.length, 0]) {
  return join(
    ...counts.map(u32),
    ...listed.flatMap(({ size, dataStart, first, count, kind, zero }, i) => [
      sha256(Buffer.from(`pack ${i}`)),
      ...[size, dataStart, first].map(u32),
      u16(count),
      Buffer.of(kind, zero),
    ]),
    ...Array.from({ length: sessions }, (_, i) => join(session(i).sid, session(i).epk)),
    ...entries.flatMap((entry) => [
      entry.id,
      ...[entry.pack, entry.offset, entry.stored, entry.raw].map(u32),
      u16(entry.session),
      Buffer.of(entry.type, entry.zero),
    ]),
  );
}

/** @returns {Generator<Named>} */
function* segments() {
  const inputs = { loc: SECRETS.loc, repo: REPO };
  const lists = [
    {
      kind: /** @type {const} */ (1),
      sessions: [session(0)],
      records: recordsOf([
        [1, 100],
        [1, 34],
        [1, 90],
      ]),
      padding: 0,
    },
    {
      kind: /** @type {const} */ (2),
      sessions: [session(1), session(2)],
      records: recordsOf([
        [2, 60, 1],
        [3, 50, 0],
      ]),
      padding: 30,
    },
  ];
  /** @type {readonly (readonly [string, string, typeof lists])[]} */
  const good = [
    ['one-pack', 'One pack; its records are in ascending order of their ids.', lists.slice(0, 1)],
    [
      'two-packs',
      'Two packs of which each has a chunk of the same id; sessions count from the first of their pack.',
      lists,
    ],
    ['empty', 'A segment may list nothing.', []],
  ];
  for (const [name, reason, listings] of good) {
    const built = listings.map(({ kind, sessions, records, padding }) => {
      const { object, dataStart } = packOf(kind, sessions, records, padding);
      return { name: sha256(object), size: object.length, dataStart, kind, sessions, records };
    });
    const object = encodeSegment(
      nodeSuite,
      fixedRandom(`segment ${name}`),
      LOCATION_KEYS,
      built.map(({ name: packName, size: sizeBytes, records, ...rest }) => {
        return { ...rest, name: packName.toString('hex'), sizeBytes, records: encodeRecords(records) };
      }),
    );
    let firstSession = 0;
    const packList = built.map(({ name: packName, size, dataStart, kind, sessions }) => {
      const first = firstSession;
      firstSession += sessions.length;
      return { name: packName, size, dataStart, firstSession: first, sessionCount: sessions.length, kind };
    });
    const records = built
      .flatMap((pack, number) =>
        pack.records.map(({ id, ...rest }) => ({ id: id.subarray(0, 16), pack: number, ...rest })),
      )
      .sort((a, b) => Buffer.compare(a.id, b.id) || a.pack - b.pack || a.offset - b.offset);
    yield ok(
      'index-segment',
      name,
      reason,
      { ...inputs, object },
      {
        packs: packList,
        sessions: built.flatMap(({ sessions }) => sessions),
        records,
      },
    );
  }

  const pack = { size: 1000, dataStart: 200, first: 0, count: 1, kind: 2, zero: 0 };
  const first = { id: Buffer.alloc(16, 1), pack: 0, offset: 0, stored: 50, raw: 5, session: 0, type: 2, zero: 0 };
  const second = { ...first, id: Buffer.alloc(16, 2), offset: 50, stored: 750, type: 3 };
  const content = segmentContent([pack], 1, [first, second]);
  const object = forgedSegment(content);
  yield ok(
    'index-segment',
    'same-half-id',
    'Half an id may be there twice, at ascending places.',
    { ...inputs, object: forgedSegment(segmentContent([pack], 1, [first, { ...second, id: first.id }])) },
    {
      packs: [
        { name: sha256(Buffer.from('pack 0')), size: 1000, dataStart: 200, firstSession: 0, sessionCount: 1, kind: 2 },
      ],
      records: [
        { id: first.id, pack: 0, offset: 0, storedLen: 50, rawLen: 5, session: 0, type: 2 },
        { id: first.id, pack: 0, offset: 50, storedLen: 750, rawLen: 5, session: 0, type: 3 },
      ],
    },
  );
  /** @param {Partial<Listed>} change */
  const inPack = (change) => ({
    ...inputs,
    object: forgedSegment(segmentContent([{ ...pack, ...change }], 1, [first, second])),
  });
  /** @param {Partial<Entry>} change */
  const inRecord = (change) => ({
    ...inputs,
    object: forgedSegment(segmentContent([pack], 1, [first, { ...second, ...change }])),
  });
  /** @param {(prefix: Buffer) => unknown} change */
  const prefixed = (change) => ({ ...inputs, object: forgedSegment(content, change) });
  /** @param {Bytes} plaintext */
  const holding = (plaintext) => ({ ...inputs, object: forgedSegment(plaintext) });
  /** @type {readonly (readonly [string, string, Record<string, Bytes>])[]} */
  const bad = [
    ['magic', 'It does not begin as an index segment.', prefixed((p) => p.write('CRNP', 'latin1'))],
    ['version', 'A segment of version 2 is not known.', prefixed((p) => p.writeUInt8(2, 4))],
    ['reserved', 'Reserved bytes of a segment are not zero.', prefixed((p) => p.writeUInt8(1, 6))],
    ['other-repo', 'The segment is of another repository.', prefixed((p) => p.set(fixed('another', 16), 8))],
    [
      'other-loc',
      'The segment does not open under another location key.',
      { ...inputs, object, loc: fixed('another', 32) },
    ],
    ['flipped', 'A changed byte of a segment does not open.', { ...inputs, object: flipped(object, 80) }],
    ['flipped-tag', 'A changed tag of a segment does not open.', { ...inputs, object: flipped(object, -1) }],
    ['truncated', 'The last byte of the segment is missing.', { ...inputs, object: object.subarray(0, -1) }],
    ['trailing', 'A byte stands after the segment.', { ...inputs, object: join(object, Buffer.of(0)) }],
    ['unsorted', 'Records do not ascend.', holding(segmentContent([pack], 1, [second, first]))],
    ['duplicate', 'A record is there twice.', holding(segmentContent([pack], 1, [first, first]))],
    [
      'count-packs',
      'The number of packs does not fit the length.',
      holding(segmentContent([pack], 1, [first, second], [2, 1, 2, 0])),
    ],
    [
      'count-sessions',
      'A pack counted as a session shifts everything.',
      holding(segmentContent([pack], 1, [first, second], [0, 2, 2, 0])),
    ],
    [
      'count-records',
      'Fewer records are counted than follow.',
      holding(segmentContent([pack], 1, [first, second], [1, 1, 1, 0])),
    ],
    [
      'count-huge',
      'Counts that no memory holds are refused by the length alone.',
      holding(segmentContent([pack], 1, [first, second], [0xffff_ffff, 0xffff_ffff, 0xffff_ffff, 0])),
    ],
    [
      'reserved-count',
      'The reserved number after the counts is not zero.',
      holding(segmentContent([pack], 1, [first, second], [1, 1, 2, 1])),
    ],
    ['no-counts', 'The content is too short for its counts.', holding(Buffer.alloc(15))],
    ['pack-sessions', 'A pack names sessions outside the table.', inPack({ first: 1 })],
    ['pack-many-sessions', 'A pack names more sessions than there are.', inPack({ count: 2 })],
    ['pack-no-sessions', 'A pack names no session.', inPack({ count: 0 })],
    ['pack-kind', 'A pack is of an unknown kind.', inPack({ kind: 3 })],
    ['pack-size', 'A pack is larger than 64 MiB.', inPack({ size: 64 * 1024 * 1024 + 1 })],
    ['pack-start', 'The chunks of a pack begin after its end.', inPack({ dataStart: 1001 })],
    ['pack-early-start', 'The chunks of a pack begin in what must be its header.', inPack({ dataStart: 127 })],
    ['pack-reserved', 'The reserved byte of a pack is not zero.', inPack({ zero: 1 })],
    ['record-pack', 'A record names a pack that is not listed.', inRecord({ pack: 1 })],
    ['record-outside', 'A chunk ends after its pack.', inRecord({ offset: 51 })],
    ['record-short', 'A sealed chunk is too short.', inRecord({ stored: 33 })],
    ['record-empty', 'A chunk of no content is listed.', inRecord({ raw: 0 })],
    ['record-long', 'A chunk of more than 8 MiB is listed.', inRecord({ raw: MAX_CHUNK + 1 })],
    ['record-session', 'A record names a session that its pack does not have.', inRecord({ session: 1 })],
    ['record-type', 'The type of a chunk does not fit the kind of its pack.', inRecord({ type: 1 })],
    ['record-reserved', 'The reserved byte of a listed chunk is not zero.', inRecord({ zero: 1 })],
  ];
  for (const [name, reason, given] of bad) yield fail('index-segment', name, reason, given);
}

/** @returns {Generator<Named>} */
export function* packVectors() {
  yield* packs();
  yield* segments();
}
