// @ts-check
import { rmSync } from 'node:fs';
import { encodePosixAcl } from '../../packages/core/dist/testing/posix-acl.js';
import { HARD_NAMES } from '../../packages/core/dist/testing/hard-names.js';
import { pseudoRandomBytes } from '../../packages/core/dist/testing/pseudo-random.js';
import { Museum } from './builder.mjs';
import { sha256, Source } from './source.mjs';

/** @typedef {(folder: string, source: string) => Promise<void>} Piece makes one repository of the museum */

const SMALL_CHUNKS = { min: 1024, average: 1024, max: 4096 };
const KIB = 1024;

/** A few files of each common kind. @param {string} root */
export function smallSource(root) {
  const source = new Source(root);
  source.directory('notes');
  source.file('notes/hello', 'hello');
  source.file('notes/empty', '');
  source.file('notes/text', 'One line of many.\n'.repeat(2000));
  source.file('notes/noise', pseudoRandomBytes('museum', 20 * KIB), { mode: 0o600 });
  source.symlink('notes/link', 'hello');
  source.directory('empty', { mode: 0o700 });
  source.finish();
  return source;
}

/** @type {Piece} */
async function small(folder, root) {
  const source = smallSource(root);
  const museum = await Museum.create(folder);
  const { name } = await museum.backup(root);
  museum.finish('recovery', { outcome: 'ok', archives: [{ name, files: source.expected }] });
}

/** @type {Piece} */
async function hardTree(folder, root) {
  const source = new Source(root);
  source.directory('names');
  for (const name of HARD_NAMES) source.file(`names/${name}`, Buffer.from(name, 'latin1'));
  source.directory('links');
  source.file('links/first', 'one content', { mode: 0o4750 });
  source.hardLink('links/second', 'links/first');
  source.file('links/unrelated', 'one content');
  source.symlink('links/bytes', 'not UTF-8 \xff\xfe 100%');
  source.symlink('links/dangling', '/no/such/entry', { mtime: 1n });
  source.hardLink('links/dangling again', 'links/dangling');
  source.directory('nodes');
  source.node('nodes/fifo', 'fifo');
  source.hardLink('nodes/fifo again', 'nodes/fifo');
  source.node('nodes/socket', 'socket');
  source.node('nodes/character', 'character-device', [1, 3]);
  source.node('nodes/block', 'block-device', [240, 70_000]);
  source.directory('sparse');
  source.sparseFile('sparse/middle', 4096 * KIB, [
    [1024 * KIB, 8 * KIB],
    [2048 * KIB, 4 * KIB],
  ]);
  source.sparseFile('sparse/no data', 1024 * KIB, []);
  source.sparseFile('sparse/ends with data', 512 * KIB, [
    [0, 4 * KIB],
    [508 * KIB, 4 * KIB],
  ]);
  source.directory('modes');
  for (const mode of [0o000, 0o400, 0o777, 0o1644, 0o2755, 0o6711])
    source.file(`modes/${mode.toString(8)}`, 'x', { mode });
  for (const mode of [0o500, 0o1777, 0o2775]) source.directory(`modes/directory ${mode.toString(8)}`, { mode });
  source.directory('owners');
  source.file('owners/file', 'x', { owner: [54_321, 54_322], mode: 0o4750 });
  source.symlink('owners/link', 'file', { owner: [54_321, 54_322] });
  source.directory('xattrs');
  source.file('xattrs/file', 'x', {
    xattrs: {
      'user.binary': Buffer.from([0, 1, 254, 255]),
      'user.empty': Buffer.alloc(0),
      'user.\xff %': Buffer.from('1'),
    },
  });
  source.directory('xattrs/directory', { xattrs: { 'user.directory': Buffer.from('x') } });
  const acl = encodePosixAcl([
    { tag: 'userOwner', permissions: 6 },
    { tag: 'user', id: 54_321, permissions: 7 },
    { tag: 'groupOwner', permissions: 4 },
    { tag: 'mask', permissions: 5 },
    { tag: 'other', permissions: 0 },
  ]);
  source.file('xattrs/acl', 'x', { xattrs: { 'system.posix_acl_access': acl } });
  source.directory('times');
  /** @type {readonly (readonly [string, bigint])[]} */
  const times = [
    ['epoch', 0n],
    ['just before 1970', -1n],
    ['1922', -1_500_000_000_000_000_001n],
    ['2033', 1_999_999_999_999_999_999n],
  ];
  for (const [name, mtime] of times) {
    source.file(`times/${name}`, name, { mtime });
    source.directory(`times/${name} directory`, { mtime });
  }
  source.file('flags', 'x', { flags: 0x40 });
  source.finish();
  const museum = await Museum.create(folder);
  const { name } = await museum.backup(root);
  museum.finish('read', { outcome: 'ok', archives: [{ name, files: source.expected }] });
}

/** @type {Piece} */
async function dedup(folder, root) {
  const museum = await Museum.create(folder);
  const first = smallSource(root);
  first.file('notes/later', 'still the same');
  first.finish();
  const before = { ...first.expected };
  const one = await museum.backup(root);
  first.remove('notes/hello');
  first.file('notes/new', 'new in the second');
  first.hardLink('notes/new again', 'notes/new');
  first.finish();
  const two = await museum.backup(root);
  museum.finish('paper', {
    outcome: 'ok',
    archives: [
      { name: one.name, files: before },
      { name: two.name, files: first.expected },
    ],
  });
}

/** @type {Piece} */
async function history(folder, root) {
  const museum = await Museum.create(folder);
  const source = smallSource(root);
  const kept = await museum.backup(root);
  source.file('only in the second', pseudoRandomBytes('second', 3000));
  source.finish();
  const packsBefore = new Set(await museum.names('packs'));
  const segmentsBefore = new Set(await museum.names('index'));
  const dropped = await museum.backup(root);
  const packs = (await museum.names('packs')).filter((name) => !packsBefore.has(name));
  const segments = (await museum.names('index')).filter((name) => !segmentsBefore.has(name));
  source.remove('only in the second');
  source.finish();
  const hidden = await museum.backup(root);
  const [lost = '', rescued = ''] = packs;
  const pin = '00112233445566778899aabbccddeeff';
  await museum.append({ kind: 'PIN', pin, archives: [kept.id], until: 2n ** 62n, holder: 'mount' });
  await museum.append({ kind: 'UNPIN', pin });
  await museum.append({ kind: 'DELETE', archives: [dropped.id, hidden.id, kept.id], reason: 'a mistake among others' });
  await museum.append({ kind: 'UNDELETE', archives: [kept.id], reason: 'the mistake' });
  await museum.append({
    kind: 'ANNOTATE',
    archives: [kept.id],
    protect: true,
    name: 'kept',
    comment: 'see above',
    tags: [],
  });
  await museum.append({ kind: 'CONDEMN', dropped: [dropped.id], packs, segments, reason: 'retention' });
  await museum.append({ kind: 'RESCUE', packs: [rescued], segments: [], reason: 'looks used' });
  await museum.append({ kind: 'SWEEP', packs: [lost], segments });
  await museum.append({
    kind: 'CHECK',
    startedNs: 1n,
    endedNs: 2n,
    level: 'full',
    objects: 9,
    bytes: 9,
    findings: 1,
    damage: [{ pack: rescued, places: [99] }],
    lostSegments: [],
  });
  await museum.append({ kind: 'INDEX', segments: [...segmentsBefore] });
  // The swept pack is gone; the swept segment is still there, and must not count.
  rmSync(museum.pathOf('packs', lost));
  museum.finish('read', {
    outcome: 'ok',
    archives: [
      { name: 'kept', files: source.expected },
      { name: hidden.name, hidden: true, files: source.expected },
    ],
  });
}

/** @type {Piece} */
async function largeDirectory(folder, root) {
  const source = new Source(root);
  source.directory('many');
  for (let i = 0; i < 3000; i++) source.file(`many/entry ${String(i).padStart(4, '0')}`, i % 1000 === 0 ? `${i}` : '');
  source.finish();
  const shown = Object.entries(source.expected).filter(([name]) => /(many|[05]00|2999)$/.test(name));
  const museum = await Museum.create(folder);
  const { name } = await museum.backup(root);
  museum.finish('read', { outcome: 'ok', archives: [{ name, partial: true, files: Object.fromEntries(shown) }] });
}

/** @type {Piece} */
async function chunkLists(folder, root) {
  const source = new Source(root);
  source.file('noise', pseudoRandomBytes('lists', 130 * KIB));
  source.sparseFile('sparse', 4096 * KIB, [
    [0, 16 * KIB],
    [3000 * KIB, 12 * KIB],
  ]);
  source.directory('many');
  for (let i = 0; i < 1400; i++) source.file(`many/${sha256(Buffer.from(`${i}`)).slice(0, 40)}`, '');
  source.finish();
  const shown = Object.entries(source.expected).filter(([name], i) => !name.includes('/many/') || i % 100 === 0);
  // A list ends at one id of 4,096. Keys are drawn until the file has more than one list.
  for (;;) {
    const museum = await Museum.create(folder, { data: SMALL_CHUNKS, tree: SMALL_CHUNKS });
    const archive = await museum.backup(root);
    const [file, directory] = [
      await museum.contentOf(archive, `${root}/noise`),
      await museum.contentOf(archive, `${root}/many`),
    ];
    if (file.level !== 1 || directory.level !== 1) throw new Error('the contents are to have more than 64 chunks each');
    if (file.records.length === 40) continue;
    museum.finish('root', {
      outcome: 'ok',
      archives: [{ name: archive.name, partial: true, files: Object.fromEntries(shown) }],
    });
    return;
  }
}

export const GOOD = /** @type {const} */ ({
  'good-small': small,
  'good-hard-tree': hardTree,
  'good-two-archives-dedup': dedup,
  'good-history': history,
  'good-large-directory': largeDirectory,
  'good-chunk-lists': chunkLists,
});
