// @ts-check
import { rmSync } from 'node:fs';
import { nodeSuite } from '../../packages/core/dist/crypto/node-suite.js';
import { decodePackHeader, PACK_KIND } from '../../packages/core/dist/pack/layout.js';
import { pseudoRandomBytes } from '../../packages/core/dist/testing/pseudo-random.js';
import { Museum } from './builder.mjs';
import { smallSource } from './good.mjs';

/** @typedef {import('./good.mjs').Piece} Piece */
/** @typedef {import('./source.mjs').Source} Source */

const LOST = { kind: 'file', damaged: true };

/** A small repository of one archive. @param {string} folder @param {string} root */
async function one(folder, root) {
  const source = smallSource(root);
  const museum = await Museum.create(folder);
  const archive = await museum.backup(root);
  return { museum, source, archive };
}

/** The packs of a kind, with where their chunks begin. @param {Museum} museum @param {1 | 2} wanted */
async function packsOfKind(museum, wanted) {
  const found = [];
  for (const name of await museum.names('packs')) {
    const object = await museum.store.get({ kind: 'packs', name });
    const keys = { repo: museum.keys.repo, loc: museum.secret('loc') };
    const header = decodePackHeader(nodeSuite, keys, object, object.length, name);
    if (header.kind === wanted) found.push({ name, path: museum.pathOf('packs', name), ...header });
  }
  return found;
}

/** @param {Buffer} bytes @param {number} at */
function flip(bytes, at) {
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  return bytes;
}

/** Everything of an archive below a directory that cannot be read. @param {Source} source */
function outOfReach(source) {
  const names = Object.keys(source.expected).filter((name) => name.includes('/notes/'));
  return Object.fromEntries(names.map((name) => [name, LOST]));
}

/** @type {Piece} */
async function flippedByte(folder, root) {
  const { museum, source, archive } = await one(folder, root);
  const [pack] = await packsOfKind(museum, PACK_KIND.data);
  if (pack === undefined) throw new Error('there is a data pack');
  // The chunk of the file of noise is the longest.
  const lengths = Array.from({ length: pack.records.length / 48 }, (_, i) => pack.records.readUInt32LE(48 * i + 8));
  const at = lengths.indexOf(Math.max(...lengths));
  museum.damage(pack.path, (bytes) => flip(bytes, pack.dataStart + pack.records.readUInt32LE(48 * at + 4) + 500));
  const files = { ...source.expected, [source.pathOf('notes/noise')]: LOST };
  museum.finish('read', { outcome: 'damaged', archives: [{ name: archive.name, files }] });
}

/** @type {Piece} */
async function flippedByteInTree(folder, root) {
  const { museum, source, archive } = await one(folder, root);
  const [pack] = await packsOfKind(museum, PACK_KIND.tree);
  if (pack === undefined) throw new Error('there is a tree pack');
  // The chunk of the directory `notes` is the longest: the others have one or two entries.
  const lengths = Array.from({ length: pack.records.length / 48 }, (_, i) => pack.records.readUInt32LE(48 * i + 12));
  const at = lengths.indexOf(Math.max(...lengths));
  museum.damage(pack.path, (bytes) => flip(bytes, pack.dataStart + pack.records.readUInt32LE(48 * at + 4) + 30));
  const notes = source.pathOf('notes');
  const files = { ...source.expected, ...outOfReach(source), [notes]: { kind: 'directory', damaged: true } };
  museum.finish('read', { outcome: 'damaged', archives: [{ name: archive.name, files }] });
}

/** @type {Piece} */
async function missingPack(folder, root) {
  const { museum, source, archive } = await one(folder, root);
  const before = { ...source.expected };
  const known = new Set((await packsOfKind(museum, PACK_KIND.data)).map(({ name }) => name));
  source.file('notes/second', pseudoRandomBytes('second', 2000));
  source.finish();
  const second = await museum.backup(root);
  const lost = (await packsOfKind(museum, PACK_KIND.data)).filter(({ name }) => !known.has(name));
  for (const { path } of lost) rmSync(path);
  const files = { ...source.expected, [source.pathOf('notes/second')]: LOST };
  museum.finish('read', {
    outcome: 'damaged',
    archives: [
      { name: archive.name, files: before },
      { name: second.name, files },
    ],
  });
}

/** @type {Piece} */
async function truncatedLog(folder, root) {
  const { museum } = await one(folder, root);
  await museum.backup(root);
  museum.damage(museum.pathOf('log', '0000000000000002'), (bytes) => bytes.subarray(0, bytes.length / 2));
  museum.finish('read', { outcome: 'damaged', opens: false, archives: [] });
}

/** @type {Piece} An entry that no key opens, and good ones behind it: as on a server, which vouches for its bytes. */
async function unreadableLogEntry(folder, root) {
  const { museum, source, archive } = await one(folder, root);
  await museum.backup(root);
  museum.damage(museum.pathOf('log', '0000000000000002'), (bytes) => flip(bytes, bytes.length - 1));
  Object.defineProperty(museum.store, 'keepsLog', { value: true });
  const third = await museum.backup(root);
  const archives = [archive, third].map(({ name }) => ({ name, files: source.expected }));
  museum.finish('read', { outcome: 'damaged', archives });
}

/** @type {Piece} */
async function missingLogEntry(folder, root) {
  const { museum } = await one(folder, root);
  await museum.backup(root);
  await museum.backup(root);
  rmSync(museum.pathOf('log', '0000000000000002'));
  museum.finish('read', { outcome: 'damaged', opens: false, archives: [] });
}

/** @type {Piece} */
async function exchangedLogEntries(folder, root) {
  const { museum } = await one(folder, root);
  await museum.backup(root);
  await museum.backup(root);
  const [second, third] = ['0000000000000002', '0000000000000003'].map((name) => museum.pathOf('log', name));
  /** @type {Buffer | undefined} */
  let kept;
  museum.damage(second ?? '', (bytes) => (kept = bytes));
  museum.damage(third ?? '', (bytes) => {
    museum.damage(second ?? '', () => bytes);
    return kept ?? bytes;
  });
  museum.finish('read', { outcome: 'damaged', opens: false, archives: [] });
}

/** @type {Piece} */
async function alteredConfig(folder, root) {
  const { museum } = await one(folder, root);
  museum.damage(museum.pathOf('config', 'config'), (bytes) => flip(bytes, bytes.length - 1));
  museum.finish('read', { outcome: 'damaged', opens: false, archives: [] });
}

/** @type {Piece} */
async function missingSegment(folder, root) {
  const { museum, source, archive } = await one(folder, root);
  const before = { ...source.expected };
  const known = new Set(await museum.names('index'));
  source.file('notes/second', 'in another segment');
  source.finish();
  const second = await museum.backup(root);
  for (const name of known) rmSync(museum.pathOf('index', name));
  museum.finish('read', {
    outcome: 'damaged',
    fromPacks: true,
    archives: [
      { name: archive.name, files: before },
      { name: second.name, files: source.expected },
    ],
  });
}

export const BROKEN = /** @type {const} */ ({
  'broken-flipped-byte-in-pack': flippedByte,
  'broken-flipped-byte-in-tree': flippedByteInTree,
  'broken-missing-pack': missingPack,
  'broken-truncated-log': truncatedLog,
  'broken-unreadable-log-entry': unreadableLogEntry,
  'broken-missing-log-entry': missingLogEntry,
  'broken-exchanged-log-entries': exchangedLogEntries,
  'broken-altered-config': alteredConfig,
  'broken-missing-segment': missingSegment,
});
