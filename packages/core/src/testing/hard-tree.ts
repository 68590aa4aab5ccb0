import { accessSync, constants, mkdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { bytesOf, fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { INODE_FLAG } from '../host/inode-flags.ts';
import { DirectoryCursor } from './directory-cursor.ts';
import { HARD_NAMES } from './hard-names.ts';
import { encodePosixAcl } from './posix-acl.ts';
import { pseudoRandomBytes } from './pseudo-random.ts';
import { TreeBuilder } from './tree-builder.ts';

export interface HardTreeOptions {
  /** Sizes of file data divided by 16, for tests that run often. */
  readonly small?: boolean;
  /** Adds a sparse file of 1 TiB that holds three ranges of data. */
  readonly huge?: boolean;
  /** Entries of the wide directory, 300 when absent. */
  readonly entries?: number;
  /** Levels of nested directories, 40 when absent. From about 450, paths are longer than PATH_MAX. */
  readonly depth?: number;
}

export interface HardTree {
  /** What this user or file system does not allow, as `what: code`. For root on ext4: the one xattr above 4 KiB. */
  readonly skipped: readonly string[];
}

const KiB = 1024;
const MiB = 1024 * KiB;
const GiB = 1024 * MiB;

/** An id that no machine gives a name. */
const UNKNOWN_ID = 54_321;

/**
 * Fills a directory (made when missing) with everything that makes file trees hard to keep: sizes, holes, names, links,
 * special files, modes, owners, attributes, times, wide and deep directories. The same options give the same tree, but
 * for times that nobody set. Throws a system error for what should have worked.
 */
export function makeHardTree(directory: ByteString, options: HardTreeOptions = {}): HardTree {
  const tree = new TreeBuilder(directory);
  const divisor = options.small === true ? 16 : 1;
  addContents(tree, divisor);
  addSparseFiles(tree, divisor);
  if (options.huge === true) addHugeFile(tree);
  addNames(tree);
  addLinks(tree);
  addNodes(tree);
  addModes(tree);
  addOwners(tree);
  addXattrs(tree);
  addAcls(tree);
  addFlags(tree);
  addWideDirectory(tree, options.entries ?? 300);
  addDeepDirectory(tree, options.depth ?? 40);
  addTimes(tree);
  return { skipped: tree.skipped };
}

function addContents(tree: TreeBuilder, divisor: number): void {
  tree.directory('contents');
  tree.directory('contents/empty-directory');
  tree.file('contents/empty');
  tree.file('contents/one-byte', 'x');
  tree.file('contents/random', pseudoRandomBytes('random', (3 * MiB) / divisor));
  tree.file('contents/random-again', pseudoRandomBytes('random', (3 * MiB) / divisor));
  tree.file('contents/compressible', 'One line of 32 bytes, repeated.\n'.repeat((2 * MiB) / 32 / divisor));
  tree.file('contents/zeros', Buffer.alloc((2 * MiB) / divisor));
}

function addSparseFiles(tree: TreeBuilder, divisor: number): void {
  const unit = MiB / divisor;
  tree.directory('sparse');
  tree.sparseFile('sparse/middle', 64 * unit, [[10 * unit, unit]]);
  tree.sparseFile('sparse/no-data', 8 * unit, []);
  tree.sparseFile('sparse/first-and-last-byte', 8 * unit, [
    [0, 1],
    [8 * unit - 1, 1],
  ]);
  // Ends in the middle of a block, after a hole.
  tree.sparseFile('sparse/odd-size', 4 * unit + 5, [[unit + 3, 10]]);
}

function addHugeFile(tree: TreeBuilder): void {
  tree.attempt('sparse/huge', () => {
    tree.sparseFile('sparse/huge', 1024 * GiB, [
      [0, 4 * KiB],
      [512 * GiB, 4 * KiB],
      [1024 * GiB - 1, 1],
    ]);
  });
}

function addNames(tree: TreeBuilder): void {
  const directory = 'names/directory \xff\xfe';
  tree.directory('names');
  tree.directory(directory);
  for (const name of HARD_NAMES) {
    tree.file(`names/${name}`, bytesOf(name));
    tree.file(`${directory}/${name}`);
  }
}

function addLinks(tree: TreeBuilder): void {
  tree.directory('links');
  tree.directory('links/directory');
  tree.file('links/first', 'one content');
  tree.hardLink('links/second', 'links/first');
  tree.hardLink('links/directory/third\xff', 'links/first');
  // Equal in all but the inode.
  tree.file('links/unrelated', 'one content');
  for (const name of ['links/first', 'links/unrelated']) tree.mtime(name, 1_500_000_000_000_000_000n);
  tree.symlink('links/to-file', 'first');
  tree.symlink('links/to-directory', 'directory');
  tree.symlink('links/to-parent', '..');
  tree.symlink('links/slash', 'directory/');
  tree.symlink('links/absolute', '/no/such/entry');
  tree.symlink('links/loop', 'loop');
  tree.symlink('links/bytes', 'not UTF-8 \xff\xfe\n');
  tree.symlink('links/longest', `${'x'.repeat(99)}/`.repeat(41).slice(0, 4095));
  tree.symlink('links/dangling', 'no/such/entry');
  tree.hardLink('links/dangling-second', 'links/dangling');
}

function addNodes(tree: TreeBuilder): void {
  tree.directory('nodes');
  // 1:3 is /dev/null; major 240 is left to local use: opening either by mistake does no harm.
  const nodes = [
    ['nodes/fifo', constants.S_IFIFO, undefined],
    ['nodes/socket', constants.S_IFSOCK, undefined],
    ['nodes/character', constants.S_IFCHR, { major: 1, minor: 3 }],
    ['nodes/block', constants.S_IFBLK, { major: 240, minor: 70_000 }],
  ] as const;
  for (const [name, kind, device] of nodes) {
    if (tree.node(name, kind | 0o640, device)) tree.hardLink(`${name}-second`, name);
  }
}

function addModes(tree: TreeBuilder): void {
  tree.directory('modes');
  for (const mode of [0o000, 0o111, 0o400, 0o644, 0o777, 0o1644, 0o2755, 0o4755, 0o6711]) {
    const name = `modes/file-${mode.toString(8).padStart(4, '0')}`;
    tree.file(name, name);
    tree.mode(name, mode);
    // A tree that this user cannot read whole could not be compared.
    const path = fsPath(tree.path(name));
    if (!tree.attempt(name, () => accessSync(path, constants.R_OK))) unlinkSync(path);
  }
  for (const mode of [0o555, 0o700, 0o1777, 0o2775]) {
    const name = `modes/directory-${mode.toString(8).padStart(4, '0')}`;
    tree.directory(name);
    tree.mode(name, mode);
  }
}

function addOwners(tree: TreeBuilder): void {
  tree.directory('owners');
  tree.file('owners/file', 'x');
  tree.directory('owners/directory');
  tree.symlink('owners/link', 'file');
  for (const name of ['file', 'directory', 'link']) tree.owner(`owners/${name}`, UNKNOWN_ID, UNKNOWN_ID + 1);
  // Afterwards, because a change of owner clears it.
  tree.mode('owners/file', 0o4750);
}

function addXattrs(tree: TreeBuilder): void {
  tree.directory('xattrs');
  for (const name of ['empty', 'binary', 'long', 'longer', 'names', 'privileged']) tree.file(`xattrs/${name}`, name);
  tree.directory('xattrs/directory');
  tree.symlink('xattrs/link', 'empty');
  tree.xattr('xattrs/empty', 'user.empty', Buffer.alloc(0));
  tree.xattr('xattrs/binary', 'user.binary', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  tree.xattr('xattrs/long', 'user.long', pseudoRandomBytes('long', 3 * KiB));
  // More than a block: ext4 takes it only with the feature ea_inode.
  tree.xattr('xattrs/longer', 'user.longer', pseudoRandomBytes('longer', 10 * KiB));
  tree.xattr('xattrs/names', 'user.not UTF-8 \xff\n', Buffer.from('1'));
  tree.xattr('xattrs/names', 'user.second', Buffer.from('2'));
  tree.xattr('xattrs/privileged', 'trusted.file', Buffer.from('1'));
  tree.xattr('xattrs/directory', 'user.directory', Buffer.from('1'));
  tree.xattr('xattrs/link', 'trusted.link', Buffer.from('1'));
}

function addAcls(tree: TreeBuilder): void {
  const acl = encodePosixAcl([
    { tag: 'userOwner', permissions: 6 },
    { tag: 'user', id: UNKNOWN_ID, permissions: 7 },
    { tag: 'groupOwner', permissions: 4 },
    { tag: 'group', id: UNKNOWN_ID, permissions: 5 },
    { tag: 'mask', permissions: 5 },
    { tag: 'other', permissions: 0 },
  ]);
  tree.directory('acls');
  tree.file('acls/file', 'x');
  tree.directory('acls/directory');
  tree.xattr('acls/file', 'system.posix_acl_access', acl);
  tree.xattr('acls/directory', 'system.posix_acl_default', acl);
  tree.file('acls/directory/inherits', 'x');
}

function addFlags(tree: TreeBuilder): void {
  tree.directory('flags');
  tree.file('flags/file', 'x');
  tree.directory('flags/directory');
  tree.flags('flags/file', INODE_FLAG.noDump);
  tree.flags('flags/directory', INODE_FLAG.noDump);
}

function addWideDirectory(tree: TreeBuilder, entries: number): void {
  tree.directory('wide');
  const digits = String(entries).length;
  for (let index = 0; index < entries; index++) {
    tree.file(`wide/entry-${String(index).padStart(digits, '0')}`, `${index}`);
  }
}

function addDeepDirectory(tree: TreeBuilder, depth: number): void {
  tree.directory('deep');
  const cursor = new DirectoryCursor(tree.path('deep'));
  try {
    for (let level = 1; level <= depth; level++) {
      const name = `level-${level}`;
      mkdirSync(cursor.path(name));
      cursor.enter(name);
    }
    writeFileSync(cursor.path('bottom'), 'bottom');
  } finally {
    cursor.close();
  }
}

const TIMES: readonly (readonly [name: string, mtimeNs: bigint])[] = [
  ['epoch', 0n],
  ['one-nanosecond', 1n],
  ['nanoseconds', 1_700_000_000_123_456_789n],
  ['just-before-1970', -1n],
  ['before-1970', -1_000_000_000n],
  ['before-1970-fraction', -1_500_000_000_000_000_001n],
  ['year-2200', 7_258_118_400_999_999_999n],
];

function addTimes(tree: TreeBuilder): void {
  tree.directory('times');
  for (const [name, mtimeNs] of TIMES) {
    tree.file(`times/${name}`, name);
    tree.symlink(`times/${name}-link`, 'target');
    tree.directory(`times/${name}-directory`);
    tree.file(`times/${name}-directory/entry`);
    for (const suffix of ['', '-link', '-directory/entry', '-directory']) tree.mtime(`times/${name}${suffix}`, mtimeNs);
  }
  tree.mtime('times', -123_456_789n);
}
