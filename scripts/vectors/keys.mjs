// @ts-check
import { restrict } from '../../packages/core/dist/crypto/capabilities.js';
import { nobleArgon2id } from '../../packages/core/dist/crypto/noble-argon2.js';
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { encodeKeyFileText } from '../../packages/core/dist/keys/key-file.js';
import { paperLines } from '../../packages/core/dist/keys/paper.js';
import { encodeRecoveryKey } from '../../packages/core/dist/keys/recovery.js';
import { hmac, join, label, seal, sha256, u32 } from './page.mjs';
import { encodeMsgpack, replaced, respelt } from './msgpack.mjs';
import { DERIVED, fail, FINGERPRINT, fixed, KEYS, ok, PK_D, PK_M, REPO, ROOT, SECRETS, TIME } from './samples.mjs';

/** @typedef {import('./samples.mjs').Named} Named */
/** @typedef {import('./samples.mjs').Bytes} Bytes */
/** @typedef {import('./samples.mjs').SecretName} SecretName */
/** @typedef {import('./msgpack.mjs').Value} Value */

/** @returns {Generator<Named>} */
function* derivations() {
  for (const [name, text] of Object.entries(DERIVED)) {
    const key = SECRETS[/** @type {SecretName} */ (name)];
    const reason = `${name} follows from the root key by the label of ${text}.`;
    yield ok(
      'derivation',
      text.replaceAll(' ', '-'),
      `The secret ${reason}`,
      { root: ROOT, repo: REPO, name: text },
      { key },
    );
  }
  const outputs = { pkD: PK_D, pkM: PK_M, fingerprint: FINGERPRINT };
  const reason = 'The public halves and the fingerprint of a root key.';
  yield ok('public-keys', 'root', reason, { root: ROOT, repo: REPO }, outputs);
}

const SHOWN = 'repository: 00112233445566778899aabbccddeeff';

/** A key file by the page, of whatever bytes. @param {Bytes} bytes */
function armored(bytes, repository = SHOWN) {
  const body = join(bytes, sha256(label('key file'), bytes).subarray(0, 8)).toString('base64');
  const lines = body.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CAIRN KEY-----', 'rights: test', repository, '', ...lines, '-----END CAIRN KEY-----', ''].join(
    '\n',
  );
}

/** The array of a key file that holds these. @param {readonly (SecretName | 'root')[]} held @returns {Value[]} */
function keyFileValues(held) {
  /** @param {SecretName | 'root'} name */
  const secret = (name) => (held.includes(name) ? (name === 'root' ? ROOT : SECRETS[name]) : null);
  const [skD, skM] = [secret('skD'), secret('skM')];
  const rest = /** @type {const} */ (['psk', 'idData', 'idMeta', 'cdc', 'loc', 'log']).map(secret);
  return [1, REPO, secret('root'), skD, skM, PK_D, PK_M, ...rest, TIME, 'a label'];
}

const NAMES = /** @type {readonly SecretName[]} */ (Object.keys(DERIVED));
const HELD = /** @type {const} */ ({
  root: NAMES,
  read: ['skD', 'skM', 'psk', 'idData', 'idMeta', 'loc', 'log'],
  maintain: ['skM', 'psk', 'idMeta', 'loc', 'log'],
  write: ['psk', 'idData', 'idMeta', 'cdc', 'loc', 'log'],
});
/** @typedef {keyof typeof HELD} Rights */

/** @param {Rights} rights */
function keyFileText(rights) {
  return encodeKeyFileText(nodeSuite, restrict(KEYS, rights), { label: `a ${rights} key`, createdNs: TIME });
}

/** @param {Rights} rights */
function heldBy(rights) {
  const held = /** @type {readonly SecretName[]} */ (HELD[rights]);
  const secrets = NAMES.map((name) => [name, held.includes(name) ? SECRETS[name] : null]);
  return {
    capabilities: { root: rights === 'root' ? ROOT : null, ...Object.fromEntries(secrets) },
    fingerprint: FINGERPRINT,
  };
}

/** @returns {Generator<Named>} */
function* keyFiles() {
  /** @type {readonly (readonly [Rights, string])[]} */
  const good = [
    ['root', 'A root key file holds the root key alone; the rest is derived.'],
    ['read', 'A read key file opens everything and cannot write.'],
    ['maintain', 'A maintain key file lacks what opens file data.'],
    ['write', 'A write key file holds no secret half of a pair.'],
  ];
  for (const [rights, reason] of good)
    yield ok('key-file', rights, reason, { text: keyFileText(rights) }, heldBy(rights));
  const write = keyFileText('write');
  const mailed = `Dear all,\r\n${write.replaceAll('\n', ' \r\n')}\r\nyours`;
  yield ok(
    'key-file',
    'mailed',
    'Text around it, line ends and spaces at them do not count.',
    { text: mailed },
    heldBy('write'),
  );
  const bare = write.replace(/rights:[^]*?\n\n/, '\n');
  yield ok(
    'key-file',
    'no-notes',
    'The lines for people may be missing; everything is in the body.',
    { text: bare },
    heldBy('write'),
  );

  const values = keyFileValues(HELD.read);
  const bytes = encodeMsgpack(values);
  /** @param {number} at @param {Value} value */
  const having = (at, value) => armored(encodeMsgpack(replaced(values, at, value)));
  const lines = write.split('\n');
  const bodyAt = lines.indexOf('') + 1;
  const mistyped = (lines[bodyAt] ?? '').replace(/[A-Za-z]/, (letter) => (letter === 'A' ? 'B' : 'A'));
  /** @type {readonly (readonly [string, string, string])[]} */
  const bad = [
    ['checksum', 'One letter of the body is another.', lines.with(bodyAt, mistyped).join('\n')],
    ['repository', 'The repository line contradicts the body.', armored(bytes, SHOWN.replace('00', '01'))],
    ['line-missing', 'A line of the body is missing.', lines.toSpliced(bodyAt + 1, 1).join('\n')],
    ['not-base64', 'The body has a character that is not base64.', lines.with(bodyAt, `${lines[bodyAt]}!`).join('\n')],
    ['no-end', 'The last line is missing.', lines.slice(0, -2).join('\n')],
    ['two', 'Two key files stand in one text.', write + keyFileText('read')],
    ['none', 'There is no key file in the text.', 'repository: none\n'],
    ['version', 'A key file of version 2 is for a newer program.', having(0, 2)],
    ['repo', 'The repository of a key file has 15 bytes.', having(1, REPO.subarray(1))],
    ['secret', 'A capability has 31 bytes.', having(7, SECRETS.psk.subarray(1))],
    ['no-public', 'The public keys are always there.', having(5, null)],
    [
      'public-other',
      'A public key that does not follow from its secret would show another fingerprint.',
      having(6, PK_D),
    ],
    [
      'root-and-derived',
      'A key file holds the root key or what is derived from it.',
      armored(encodeMsgpack(keyFileValues(['root', 'psk']))),
    ],
    [
      'root-other-public',
      'The public keys do not follow from the root key.',
      armored(encodeMsgpack(replaced(keyFileValues(['root']), 5, PK_M))),
    ],
    ['label', 'The label is text.', having(14, null)],
    ['fields', 'The array has a field more than version 1 has.', armored(encodeMsgpack([...values, null]))],
    ['trailing', 'A byte stands after the array.', armored(join(bytes, Buffer.of(0xc0)))],
    ['spelling', 'The version is not in its shortest form.', armored(respelt(bytes, '9f01', '9fcc01'))],
    ['empty', 'The body is its checksum alone.', armored(Buffer.alloc(0))],
  ];
  for (const [name, reason, text] of bad) yield fail('key-file', name, reason, { text });
}

/** @returns {Generator<Named>} */
function* recoveryKeys() {
  const outputs = { root: ROOT, repo: REPO };
  const key = encodeRecoveryKey(nodeSuite, KEYS);
  const paper = paperLines(nodeSuite, KEYS);
  const lookalikes = key
    .toLowerCase()
    .replaceAll('o', '0')
    .replaceAll('i', '1')
    .replaceAll('b', '8')
    .replaceAll('-', ' ');
  const marked = `Keep this.\n-----BEGIN CAIRN RECOVERY KEY-----\n${key.replace(/-/g, '-\n')}\n-----END CAIRN RECOVERY KEY-----\nBye.`;
  /** @type {readonly (readonly [string, string, string])[]} */
  const good = [
    ['groups', '17 groups of 5 joined by dashes.', key],
    ['typed', 'Small letters, spaces, and 0, 1 and 8 for O, I and B.', lookalikes],
    ['marked', 'The groups between their markers in a longer text, over several lines.', marked],
    ['paper', 'The paper form: nine numbered lines.', `${paper.join('\n')}\n`],
    [
      'paper-typed',
      'Its lines in any order, in capitals, among others.',
      ['Written down by hand', ...paper.toReversed().map((line) => ` ${line.toUpperCase()}`)].join('\r\n'),
    ],
  ];
  for (const [name, reason, text] of good) yield ok('recovery-key', name, reason, { text }, outputs);

  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const mistyped = key.replace(/^(.)/, (letter) => (letter === 'C' ? 'D' : 'C'));
  const spare = key.slice(0, -1) + alphabet[alphabet.indexOf(key.at(-1) ?? 'A') + 1];
  const [first = '', second = ''] = paper;
  /** @type {readonly (readonly [string, string, string])[]} */
  const bad = [
    ['mistyped', 'One letter of the groups is another.', mistyped],
    ['spare-bit', 'The bit that is left over is not zero: one key has one spelling.', spare],
    ['short', 'The last letter of the groups is missing.', key.slice(0, -1)],
    ['long', 'A letter too many.', `${key}A`],
    ['stranger', 'A character that is not of the alphabet.', key.replace(/^./, '9')],
    ['no-end', 'The marker after the groups is missing.', marked.slice(0, marked.indexOf('-----END'))],
    [
      'paper-mistyped',
      'The check of one line does not fit.',
      paper
        .with(
          1,
          second.replace(/[0-9a-f](?=[0-9a-f ]*$)/, (digit) => (digit === '0' ? '1' : '0')),
        )
        .join('\n'),
    ],
    ['paper-missing', 'The fourth line is missing.', paper.toSpliced(3, 1).join('\n')],
    ['paper-twice', 'The first line is there twice.', [first, ...paper].join('\n')],
    [
      'paper-number',
      'A line has the number of another.',
      paper
        .with(1, second.replace(' 2:', ' 3:'))
        .with(2, (paper[2] ?? '').replace(' 3:', ' 2:'))
        .join('\n'),
    ],
    ['paper-short', 'A line lacks its last digits.', paper.with(8, (paper[8] ?? '').slice(0, -2)).join('\n')],
  ];
  for (const [name, reason, text] of bad) yield fail('recovery-key', name, reason, { text });
}

/** Parameters with which a test costs nothing: the floors bind only who makes a slot for use. */
const CHEAP = { memoryKiB: 64, passes: 1, lanes: 2 };

/**
 * A slot by the page.
 * @param {string} name @param {string} passphrase @param {typeof CHEAP} kdf @param {string} text what it wraps
 * @returns {Promise<Record<string, any>>}
 */
async function slotOf(name, passphrase, kdf, text) {
  const [uid, salt] = [fixed(`uid ${name}`, 16), fixed(`salt ${name}`, 32)];
  const stretched = await nobleArgon2id(Buffer.from(passphrase.normalize('NFC')), salt, kdf, 64);
  const numbers = join(u32(kdf.memoryKiB), u32(kdf.passes), u32(kdf.lanes));
  const header = join(label('slot'), REPO, FINGERPRINT, uid, numbers, salt);
  return {
    cairn: 1,
    uid: uid.toString('hex'),
    repository: REPO.toString('hex'),
    fingerprint: FINGERPRINT.toString('hex'),
    rights: 'read',
    label: 'a slot',
    created: '2026-11-21T08:15:02Z',
    kind: 'passphrase',
    kdf: { name: 'argon2id', ...kdf, salt: salt.toString('hex') },
    commitment: hmac(stretched.subarray(32), header).toString('hex'),
    sealed: seal(stretched.subarray(0, 32), fixed(`nonce ${name}`, 12), Buffer.from(text), header).toString('hex'),
  };
}

/** @returns {AsyncGenerator<Named>} */
async function* keySlots() {
  const text = keyFileText('read');
  const passphrase = 'correct horse battery staple';
  const slot = await slotOf('cheap', passphrase, CHEAP, text);
  const usual = await slotOf('usual', passphrase, { memoryKiB: 65_536, passes: 3, lanes: 4 }, text);
  const composed = await slotOf('composed', 'pässwörd', CHEAP, text);
  const json = (/** @type {object} */ value) => JSON.stringify(value);
  yield ok(
    'key-slot',
    'usual',
    'A slot with the parameters that programs use.',
    { slot: json(usual), passphrase },
    { text },
  );
  yield ok(
    'key-slot',
    'cheap',
    'A reader takes parameters below the floor.',
    { slot: json(slot), passphrase },
    { text },
  );
  yield ok(
    'key-slot',
    'normal-form',
    'The passphrase is normalised: letters and their marks may come apart.',
    { slot: json(composed), passphrase: 'pa\u0308sswo\u0308rd' },
    { text },
  );
  const { label: _, ...unlabelled } = slot;
  /** @param {object} change */
  const kdf = (change) => json({ ...slot, kdf: { ...slot.kdf, ...change } });
  /** @param {string} name */
  const flippedHex = (name) =>
    json({ ...slot, [name]: slot[name].replace(/.$/, (/** @type {string} */ digit) => (digit === '0' ? '1' : '0')) });
  const otherRepo = armored(encodeMsgpack(replaced(keyFileValues(HELD.read), 1, fixed('another', 16))), '');
  /** @type {readonly (readonly [string, string, string])[]} */
  const bad = [
    ['kdf-memory', 'More memory than 2 GiB is refused before anything is computed.', kdf({ memoryKiB: 2_097_153 })],
    ['kdf-passes', 'More than 20 passes are refused.', kdf({ passes: 21 })],
    ['kdf-lanes', 'More than 16 lanes are refused.', kdf({ lanes: 17 })],
    ['kdf-zero', 'No pass is no derivation.', kdf({ passes: 0 })],
    ['kdf-small', 'Each lane of argon2id needs 8 KiB.', kdf({ memoryKiB: 15 })],
    ['kdf-name', 'Only argon2id is known.', kdf({ name: 'scrypt' })],
    ['kdf-changed', 'Parameters that were changed give another key.', kdf({ passes: 2 })],
    ['kdf-extra', 'The derivation has a field more than it may have.', kdf({ secret: '00' })],
    ['salt', 'The salt has 32 bytes.', kdf({ salt: slot['kdf'].salt.slice(2) })],
    ['commitment', 'A changed commitment is refused before anything is opened.', flippedHex('commitment')],
    ['sealed', 'A changed seal does not open.', flippedHex('sealed')],
    ['uid', 'The name of the slot is bound to it.', flippedHex('uid')],
    ['fingerprint', 'The fingerprint is bound to it.', flippedHex('fingerprint')],
    [
      'other-repository',
      'The key file inside is of another repository than the slot says.',
      json(await slotOf('other', passphrase, CHEAP, otherRepo)),
    ],
    ['not-a-key', 'What is inside is no key file.', json(await slotOf('garbage', passphrase, CHEAP, 'a text'))],
    ['version', 'A slot of version 2 is for a newer program.', json({ ...slot, cairn: 2 })],
    ['kind', 'A slot of an unknown kind.', json({ ...slot, kind: 'token' })],
    ['extra', 'A slot has a field more than its kind has.', json({ ...slot, hint: 'the usual one' })],
    ['missing', 'A slot without its label.', json(unlabelled)],
    ['created', 'The time is not as RFC 3339 has it.', json({ ...slot, created: 'yesterday' })],
    ['not-json', 'It is cut off.', json(slot).slice(0, -1)],
    ['array', 'It is JSON, but no object.', json([slot])],
  ];
  for (const [name, reason, given] of bad) yield fail('key-slot', name, reason, { slot: given, passphrase });
  const reason = 'Another passphrase does not open it.';
  yield fail('key-slot', 'passphrase', reason, { slot: json(slot), passphrase: `${passphrase} ` });
}

/** @returns {AsyncGenerator<Named>} */
export async function* keyVectors() {
  yield* derivations();
  yield* keyFiles();
  yield* recoveryKeys();
  yield* keySlots();
}
