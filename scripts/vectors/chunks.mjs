// @ts-check
import { cutLength, cutRule } from '../../packages/core/dist/chunker/fastcdc.js';
import { gearTable } from '../../packages/core/dist/chunker/gear.js';
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { hkdf, hmac, join, label, seal, sha256, u32, x25519, x25519Public } from './page.mjs';
import { fail, fixed, flipped, ok, PK_D, PK_M, REPO, SECRETS } from './samples.mjs';

/** @typedef {import('./samples.mjs').Named} Named */
/** @typedef {import('./samples.mjs').Bytes} Bytes */

const SID = fixed('sid', 16);
const ESK = fixed('esk', 32);
const EPK = x25519Public(ESK);
const TEXT = Buffer.from('A line of text, twice. A line of text, twice.');

/** @param {'data' | 'meta'} name */
function sessionSecret(name) {
  const pk = name === 'data' ? PK_D : PK_M;
  return hkdf(join(x25519(ESK, pk), SECRETS.psk), SID, join(label(`session ${name}`), REPO, EPK, pk));
}

/** @param {number} type @param {Bytes} plaintext */
const idOf = (type, plaintext) => hmac(type === 1 ? SECRETS.idData : SECRETS.idMeta, Uint8Array.of(type), plaintext);

/** A sealed chunk of whatever content, by the page. @param {number} type @param {Bytes} id @param {Bytes} inner codec ‖ rawLen ‖ payload */
function sealed(type, id, inner) {
  const session = sessionSecret(type === 1 ? 'data' : 'meta');
  const tail = join(Uint8Array.of(type), id);
  const key = hmac(session, label('chunk'), tail);
  return seal(key, fixed(`nonce ${type} ${inner.length}`, 12), inner, join(label('chunk'), REPO, SID, tail));
}

/** @param {number} codec @param {number} rawLength @param {Bytes} payload */
const inner = (codec, rawLength, payload) => join(Uint8Array.of(codec), u32(rawLength), payload);

/** A zstd frame of blocks made by hand (RFC 8878, section 3.1.1). @param {readonly Bytes[]} blocks @param {number} [size] */
function frame(blocks, size) {
  const header =
    size === undefined ? Buffer.from('28b52ffd0050', 'hex') : join(Buffer.from('28b52ffda0', 'hex'), u32(size));
  return join(header, ...blocks);
}

/** @param {boolean} last @param {0 | 1} type raw or one byte repeated @param {number} size @param {Bytes} content */
const block = (last, type, size, content) =>
  join(u32((size << 3) | (type << 1) | Number(last)).subarray(0, 3), content);

const RAW_FRAME = frame([block(true, 0, TEXT.length, TEXT)], TEXT.length);
/** What zstd 1.5.4 makes of `TEXT` at level 19, without a size in the header. */
const COMPRESSED_FRAME = Buffer.from(
  '28b52ffd0068ed0000b841206c696e65206f6620746578742c2074776963652e20010055994d',
  'hex',
);

/** @returns {Generator<Named>} */
function* ids() {
  /** @type {readonly (readonly [string, number, string])[]} */
  const types = [
    ['data', 1, 'The id of file data is an HMAC under idData over the type and the content.'],
    ['tree', 2, 'The id of tree data is made with idMeta: the same content has another id as a tree.'],
    ['list', 3, 'The id of a chunk list differs from that of a tree of the same bytes by the type alone.'],
  ];
  for (const [name, type, reason] of types) {
    const idKey = type === 1 ? SECRETS.idData : SECRETS.idMeta;
    yield ok('chunk-id', name, reason, { idKey, type, plaintext: TEXT }, { id: idOf(type, TEXT) });
  }
  const one = Buffer.of(0);
  const inputs = { idKey: SECRETS.idData, type: 1, plaintext: one };
  yield ok('chunk-id', 'one-zero-byte', 'A single zero byte is content like any other.', inputs, { id: idOf(1, one) });
}

/** @returns {Generator<Named>} */
function* sessions() {
  const data = { secret: SECRETS.skD, epk: EPK, psk: SECRETS.psk, sid: SID, repo: REPO, pk: PK_D, class: 'data' };
  const meta = { ...data, secret: SECRETS.skM, pk: PK_M, class: 'meta' };
  yield ok('session', 'data', 'The reader computes the data secret of a run from skD and epk.', data, {
    session: sessionSecret('data'),
  });
  yield ok('session', 'meta', 'The meta secret of the same run has its own key pair and label.', meta, {
    session: sessionSecret('meta'),
  });
  const otherPsk = fixed('another psk', 32);
  const info = join(label('session data'), REPO, EPK, PK_D);
  yield ok(
    'session',
    'other-psk',
    'The pre-shared key is mixed in: with another one the secret is another.',
    { ...data, psk: otherPsk },
    { session: hkdf(join(x25519(SECRETS.skD, EPK), otherPsk), SID, info) },
  );
  /** @type {readonly (readonly [string, string, string])[]} */
  const lowOrder = [
    ['epk-zero', '00'.repeat(32), 'The point 0 gives the all-zero result, which is refused.'],
    ['epk-one', `01${'00'.repeat(31)}`, 'The point 1 is of small order and gives the all-zero result.'],
    [
      'epk-order-8',
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      'A point of order 8 gives the all-zero result.',
    ],
    ['epk-above-p', `ed${'ff'.repeat(30)}7f`, 'The prime p is another spelling of the point 0.'],
  ];
  for (const [name, epk, reason] of lowOrder) yield fail('session', name, reason, { ...data, epk });
}

/** @returns {Generator<Named>} */
function* sealedChunks() {
  /** @param {number} type @param {Bytes} [plaintext] */
  const inputs = (type, plaintext = TEXT) => ({
    session: sessionSecret(type === 1 ? 'data' : 'meta'),
    repo: REPO,
    sid: SID,
    type,
    id: idOf(type, plaintext),
    sealed: sealed(type, idOf(type, plaintext), inner(0, plaintext.length, plaintext)),
    idKey: type === 1 ? SECRETS.idData : SECRETS.idMeta,
  });
  const good = inputs(1);
  /** @param {number} codec @param {number} rawLength @param {Bytes} payload */
  const forged = (codec, rawLength, payload) => ({
    ...good,
    sealed: sealed(1, good.id, inner(codec, rawLength, payload)),
  });
  yield ok('sealed-chunk', 'stored', 'Codec 0: the payload is the content.', good, { plaintext: TEXT });
  yield ok('sealed-chunk', 'tree', 'A tree chunk opens under the meta secret.', inputs(2), { plaintext: TEXT });
  yield ok('sealed-chunk', 'list', 'A chunk list opens under the meta secret, with its own type.', inputs(3), {
    plaintext: TEXT,
  });
  yield ok('sealed-chunk', 'one-byte', 'The shortest chunk has one byte.', inputs(1, Buffer.of(7)), {
    plaintext: Buffer.of(7),
  });
  yield ok(
    'sealed-chunk',
    'zstd',
    'Codec 1: a compressed frame whose header gives no size.',
    forged(1, TEXT.length, COMPRESSED_FRAME),
    {
      plaintext: TEXT,
    },
  );
  yield ok(
    'sealed-chunk',
    'zstd-raw',
    'A frame may hold its content uncompressed.',
    forged(1, TEXT.length, RAW_FRAME),
    {
      plaintext: TEXT,
    },
  );
  const zeros = Buffer.alloc(100_000);
  const zerosId = idOf(1, zeros);
  const zerosFrame = frame([block(true, 1, zeros.length, Buffer.of(0))], zeros.length);
  yield ok(
    'sealed-chunk',
    'zstd-run',
    'A run of one byte takes four bytes of a frame; the length in the seal bounds the output.',
    { ...good, id: zerosId, sealed: sealed(1, zerosId, inner(1, zeros.length, zerosFrame)) },
    { plaintext: zeros },
  );

  const tree = inputs(2);
  const other = Buffer.from('Another content, of the same session.');
  /** @type {readonly (readonly [string, string, Record<string, Bytes | number>])[]} */
  const bad = [
    [
      'wrong-type',
      'The type is part of the key and of the additional data: a tree is no chunk list.',
      { ...tree, type: 3 },
    ],
    ['wrong-class', 'Tree data does not open as file data.', { ...tree, type: 1 }],
    ['wrong-repo', 'The repository is part of the additional data.', { ...good, repo: fixed('another repo', 16) }],
    ['wrong-sid', 'The session is part of the additional data.', { ...good, sid: fixed('another sid', 16) }],
    ['wrong-session', 'The key follows from the session secret.', { ...good, session: fixed('another secret', 32) }],
    [
      'wrong-id',
      'The id is part of the key: a chunk in the place of another does not open.',
      { ...good, id: idOf(1, other) },
    ],
    ['wrong-id-key', 'The id is recomputed, under the key of its class.', { ...good, idKey: SECRETS.idMeta }],
    ['flipped-nonce', 'A changed nonce does not open.', { ...good, sealed: flipped(good.sealed, 0) }],
    ['flipped-text', 'A changed byte of ciphertext does not open.', { ...good, sealed: flipped(good.sealed, 20) }],
    ['flipped-tag', 'A changed tag does not open.', { ...good, sealed: flipped(good.sealed, -1) }],
    ['truncated', 'A chunk without its last byte does not open.', { ...good, sealed: good.sealed.subarray(0, -1) }],
    ['trailing', 'A chunk with a byte more does not open.', { ...good, sealed: join(good.sealed, Buffer.of(0)) }],
    ['too-short', 'A chunk shorter than nonce and tag is none.', { ...good, sealed: good.sealed.subarray(0, 27) }],
    [
      'no-header',
      'Nothing is sealed: not even codec and length.',
      { ...good, sealed: sealed(1, good.id, Buffer.alloc(0)) },
    ],
    ['other-content', 'A writer put another content under this id.', forged(0, other.length, other)],
    ['raw-shorter', 'The content is longer than the length says.', forged(0, TEXT.length - 1, TEXT)],
    ['raw-longer', 'The content is shorter than the length says.', forged(0, TEXT.length + 1, TEXT)],
    [
      'empty',
      'There are no empty chunks, even where the id fits.',
      {
        ...good,
        id: idOf(1, Buffer.alloc(0)),
        sealed: sealed(1, idOf(1, Buffer.alloc(0)), inner(0, 0, Buffer.alloc(0))),
      },
    ],
    ['codec-2', 'There is no codec 2.', forged(2, TEXT.length, TEXT)],
    [
      'too-long',
      'A length beyond 8 MiB is refused before anything is decompressed.',
      forged(1, 0xffff_ffff, RAW_FRAME),
    ],
    ['zstd-shorter', 'The frame has more than the length says.', forged(1, TEXT.length - 1, COMPRESSED_FRAME)],
    ['zstd-longer', 'The frame has less than the length says.', forged(1, TEXT.length + 1, COMPRESSED_FRAME)],
    ['zstd-truncated', 'The frame lacks its last byte.', forged(1, TEXT.length, COMPRESSED_FRAME.subarray(0, -1))],
    ['zstd-trailing', 'A byte stands after the frame.', forged(1, TEXT.length, join(RAW_FRAME, Buffer.of(0)))],
    [
      'zstd-two-frames',
      'Two frames stand where one is due, with the right length together.',
      {
        ...good,
        id: idOf(1, join(TEXT, TEXT)),
        sealed: sealed(1, idOf(1, join(TEXT, TEXT)), inner(1, 2 * TEXT.length, join(RAW_FRAME, RAW_FRAME))),
      },
    ],
    [
      'zstd-empty-frame',
      'An empty frame stands after the frame.',
      forged(1, TEXT.length, join(RAW_FRAME, frame([block(true, 0, 0, Buffer.alloc(0))], 0))),
    ],
    [
      'zstd-skippable',
      'A skippable frame stands after the frame.',
      forged(1, TEXT.length, join(RAW_FRAME, Buffer.from('502a4d180100000078', 'hex'))),
    ],
    ['zstd-none', 'The content stands there as if it were compressed.', forged(1, TEXT.length, TEXT)],
    [
      'zstd-bomb',
      'A frame of a few bytes would grow to 128 MiB.',
      forged(
        1,
        TEXT.length,
        frame(Array.from({ length: 1024 }, (_, i) => block(i === 1023, 1, 131_072, Buffer.of(0)))),
      ),
    ],
    [
      'zstd-claim',
      'The frame claims a size that its blocks do not have.',
      forged(1, TEXT.length, frame([block(true, 0, TEXT.length, TEXT)], TEXT.length + 1)),
    ],
  ];
  for (const [name, reason, given] of bad) yield fail('sealed-chunk', name, reason, given);
}

/** @returns {Generator<Named>} */
function* cuts() {
  const small = { min: 1024, average: 2048, max: 8192 };
  const trees = { min: 16_384, average: 65_536, max: 524_288 };
  const data = { min: 524_288, average: 1_048_576, max: 8_388_608 };
  /** @type {readonly (readonly [string, string, { min: number, average: number, max: number }, number])[]} */
  const cases = [
    ['empty', 'Nothing has no chunks.', small, 0],
    ['one-byte', 'What is shorter than the least length is one chunk.', small, 1],
    ['min', 'What has just the least length is one chunk.', small, 1024],
    ['above-min', 'One byte above the least length may be cut off nowhere but at its end.', small, 1025],
    ['small', 'Many chunks between the bounds.', small, 60_000],
    [
      'max-equals-min',
      'Where all bounds are the same every chunk has that length.',
      { min: 2048, average: 2048, max: 2048 },
      9000,
    ],
    [
      'odd-average',
      'The average need not be a power of two: its logarithm is rounded.',
      { min: 1500, average: 3000, max: 9000 },
      60_000,
    ],
    ['trees', 'The parameters for trees use both masks.', trees, 700_000],
    ['data', 'The parameters for file data never use the strict mask.', data, 4_000_000],
  ];
  const seedHex = Buffer.from('cairn cdc');
  for (const [name, reason, parameters, length] of cases) {
    const table = gearTable(nodeSuite, SECRETS.cdc, REPO);
    const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => sha256(seedHex, u32(i)));
    const content = Buffer.concat(blocks).subarray(0, length);
    /** @type {number[]} */
    const lengths = [];
    for (let at = 0; at < length; at += lengths.at(-1) ?? 0) {
      lengths.push(cutLength(content, at, length, table, cutRule(parameters)));
    }
    const words = hkdf(SECRETS.cdc, REPO, label('gear'), 1024);
    const table0 = [0, 1, 2, 3].map((i) => words.readUInt32LE(4 * i) & 0x7fff_ffff);
    const inputs = { cdc: SECRETS.cdc, repo: REPO, ...parameters, seedHex, length };
    yield ok('cdc', name, reason, inputs, { table0, cuts: lengths });
  }
}

/** @returns {Generator<Named>} */
function* padding() {
  // Worked out by hand from the rule: E is the exponent, S its bits, and the last E - S bits are rounded up.
  /** @type {readonly (readonly [number, number, string])[]} */
  const cases = [
    [0, 0, 'Nothing stays nothing.'],
    [1, 1, '1 stays as it is.'],
    [2, 2, 'E = 1 and S = 1: nothing is rounded.'],
    [3, 3, '3 keeps both its bits.'],
    [7, 7, 'E = 2 and S = 2: up to 7 nothing is rounded.'],
    [8, 8, 'A power of two stays as it is.'],
    [9, 10, '9 is rounded up to 10: E = 3, S = 2, one bit.'],
    [100, 104, 'E = 6 and S = 3: up to a multiple of 8.'],
    [1_000_000, 1_015_808, 'E = 19 and S = 5: up to a multiple of 16,384.'],
    [16_777_215, 16_777_216, 'Rounding may reach the next power of two.'],
    [16_777_217, 17_301_504, 'E = 24 and S = 5: up to a multiple of 524,288.'],
    [67_108_863, 67_108_864, 'The limit of a pack is itself such a length.'],
  ];
  for (const [n, padded, reason] of cases) yield ok('padme', String(n), reason, { n }, { padded });
}

/** @returns {Generator<Named>} */
export function* chunkVectors() {
  yield* ids();
  yield* sessions();
  yield* sealedChunks();
  yield* cuts();
  yield* padding();
}
