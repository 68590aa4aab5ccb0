import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { fsPath } from '../host/byte-path.ts';
import { makeNode } from '../host/file-nodes.ts';
import { setTimes } from '../host/file-times.ts';
import { INODE_FLAG, setInodeFlags } from '../host/inode-flags.ts';
import { removeXattr, setXattr } from '../host/xattrs.ts';
import { compareTrees } from './compare-trees.ts';
import type { Attribute } from './compare-entries.ts';
import { makeHardTree } from './hard-tree.ts';
import { removeTree } from './remove-tree.ts';

const isRoot = process.getuid?.() === 0;
const { S_IFCHR } = constants;
let directory = '';
let source = '';
let copy = '';

function restoreCopy(): void {
  if (readdirSync(directory).includes('copy')) removeTree(copy);
  execFileSync('cp', ['-a', source, copy]);
}

/** Does the change without leaving a trace in the times of the entry and of its directory. */
function quietly(name: string, change: (path: string) => void): void {
  const path = `${copy}/${name}`;
  const parent = path.slice(0, path.lastIndexOf('/'));
  const parentTime = lstatSync(fsPath(parent), { bigint: true }).mtimeNs;
  const time = lstatSync(fsPath(path), { bigint: true }).mtimeNs;
  change(path);
  if (lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined) setTimes(path, { mtimeNs: time });
  setTimes(parent, { mtimeNs: parentTime });
}

function withFile(path: string, action: (fd: number) => void): void {
  const fd = openSync(path, 'r+');
  try {
    action(fd);
  } finally {
    closeSync(fd);
  }
}

function replaceBy(create: (path: string) => void): (path: string) => void {
  return (path) => {
    unlinkSync(fsPath(path));
    create(path);
  };
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-compare-'));
  source = join(directory, 'source');
  copy = join(directory, 'copy');
  makeHardTree(source, { small: true, huge: true, entries: 30, depth: 5 });
});

afterAll(() => {
  removeTree(directory);
});

describe.runIf(isRoot)('compareTrees', () => {
  it('finds no difference between a tree and itself', () => {
    expect(compareTrees(source, source, { sparse: true })).toEqual([]);
  });

  it('finds only the inode flags missing in what cp -a makes', () => {
    restoreCopy();
    expect(compareTrees(source, copy, { sparse: true, ignore: ['flags'] })).toEqual([]);
    const noDump = INODE_FLAG.noDump.toString(16);
    expect(compareTrees(source, copy)).toEqual([
      `flags/directory: flags 0x${noDump} != 0x0`,
      `flags/file: flags 0x${noDump} != 0x0`,
    ]);
  });

  interface Mutation {
    readonly name: string;
    readonly attribute?: Attribute;
    readonly expected: string;
    readonly change: (path: string) => void;
  }

  const mutations: readonly Mutation[] = [
    { name: 'contents/empty', expected: 'only in the first tree', change: unlinkSync },
    { name: 'contents/empty-directory', expected: 'only in the first tree', change: rmdirSync },
    {
      name: 'contents/empty',
      expected: 'kind file != directory',
      change: replaceBy((path) => mkdirSync(path)),
    },
    { name: 'links/to-file', expected: 'kind symlink != file', change: replaceBy((path) => writeFileSync(path, '')) },
    {
      name: 'modes/file-4755',
      attribute: 'mode',
      expected: 'mode 4755 != 0755',
      change: (path) => chmodSync(path, 0o755),
    },
    {
      name: 'modes/directory-1777',
      attribute: 'mode',
      expected: 'mode 1777 != 0777',
      change: (path) => chmodSync(path, 0o777),
    },
    {
      name: 'contents/one-byte',
      attribute: 'owner',
      expected: 'owner 0:0 != 7:0',
      change: (path) => chownSync(path, 7, 0),
    },
    {
      name: 'contents/one-byte',
      attribute: 'owner',
      expected: 'owner 0:0 != 0:7',
      change: (path) => chownSync(path, 0, 7),
    },
    {
      name: 'contents/one-byte',
      attribute: 'content',
      expected: 'size 1 != 2',
      change: (path) => appendFileSync(path, 'y'),
    },
    {
      name: 'contents/random',
      attribute: 'content',
      expected: 'content differs at byte 196607',
      change: (path) =>
        withFile(path, (fd) => {
          // The last byte, and only one bit of it.
          const last = lstatSync(path).size - 1;
          const byte = readFileSync(path)[last] ?? 0;
          writeSync(fd, Buffer.from([byte ^ 1]), 0, 1, last);
        }),
    },
    {
      name: 'sparse/huge',
      attribute: 'content',
      expected: `content differs at byte ${700 * 2 ** 30}`,
      change: (path) => withFile(path, (fd) => writeSync(fd, 'x', 700 * 2 ** 30)),
    },
    {
      name: 'links/bytes',
      attribute: 'target',
      expected: 'target not UTF-8 \\xff\\xfe\\x0a != not UTF-8 \\xff\\xfe',
      change: replaceBy((path) => symlinkSync(fsPath('not UTF-8 \xff\xfe'), path)),
    },
    {
      name: 'xattrs/binary',
      attribute: 'xattrs',
      expected: 'xattrs differ: user.binary (256 bytes, 3 bytes)',
      change: (path) => setXattr(path, 'user.binary', Buffer.from('abc')),
    },
    {
      name: 'xattrs/empty',
      attribute: 'xattrs',
      expected: 'xattrs differ: user.empty (0 bytes, missing)',
      change: (path) => removeXattr(path, 'user.empty'),
    },
    {
      name: 'xattrs/link',
      attribute: 'xattrs',
      expected: 'xattrs differ: trusted.link (1 bytes, missing)',
      change: (path) => removeXattr(path, 'trusted.link'),
    },
    {
      name: 'acls/directory',
      attribute: 'xattrs',
      expected: 'xattrs differ: system.posix_acl_default (52 bytes, missing)',
      change: (path) => removeXattr(path, 'system.posix_acl_default'),
    },
    {
      name: 'contents/one-byte',
      attribute: 'flags',
      expected: 'flags 0x0 != 0x80',
      change: (path) => withFile(path, (fd) => setInodeFlags(fd, INODE_FLAG.noAtime)),
    },
    {
      name: 'links/second',
      attribute: 'links',
      expected: 'hard link of links/directory/third\\xff != of links/second',
      change: replaceBy((path) => copyFileSync(`${source}/links/first`, path)),
    },
    {
      name: 'links/unrelated',
      attribute: 'links',
      expected: 'hard link of links/unrelated != of links/directory/third\\xff',
      change: replaceBy((path) => linkSync(`${copy}/links/first`, path)),
    },
    {
      name: 'links/dangling-second',
      attribute: 'links',
      expected: 'hard link of links/dangling != of links/dangling-second',
      change: replaceBy((path) => symlinkSync('no/such/entry', path)),
    },
    {
      name: 'sparse/no-data',
      attribute: 'allocation',
      expected: `takes ${2 ** 19} bytes on disk, 0 in the first tree`,
      change: (path) => {
        truncateSync(path, 0);
        writeFileSync(path, Buffer.alloc(2 ** 19));
      },
    },
  ];

  describe('finds a single change', () => {
    beforeEach(restoreCopy);

    it.each(mutations)('$name: $expected', ({ name, attribute, expected, change }) => {
      quietly(name, change);
      const options = { sparse: true, ignore: ['flags'] as Attribute[] };
      const strict = attribute === 'flags' ? { sparse: true, ignorePath: (path: string) => path === 'flags' } : options;
      expect(compareTrees(source, copy, strict)).toEqual([`${name}: ${expected}`]);
      if (attribute !== undefined) {
        expect(compareTrees(source, copy, { ...strict, ignore: [...options.ignore, attribute] })).toEqual([]);
      }
    });
  });

  describe('and besides', () => {
    beforeEach(restoreCopy);

    it.each(['times/nanoseconds', 'times/nanoseconds-link', 'times/nanoseconds-directory'])(
      'finds one nanosecond on %s',
      (name) => {
        setTimes(`${copy}/${name}`, { mtimeNs: 1_700_000_000_123_456_790n });
        expect(compareTrees(source, copy, { ignore: ['flags'] })).toEqual([
          `${name}: mtime 1700000000123456789 != 1700000000123456790`,
        ]);
        expect(compareTrees(source, copy, { ignore: ['flags', 'mtime'] })).toEqual([]);
      },
    );

    it('finds another device number, on both names of the node', () => {
      const path = `${copy}/nodes/character`;
      for (const name of [path, `${path}-second`]) unlinkSync(name);
      makeNode(path, S_IFCHR | 0o640, { major: 1, minor: 5 });
      linkSync(path, `${path}-second`);
      const found = compareTrees(source, copy, { ignore: ['flags', 'mtime', 'mode'] });
      expect(found).toEqual(['', '-second'].map((suffix) => `nodes/character${suffix}: device 1:3 != 1:5`));
      expect(compareTrees(source, copy, { ignore: ['flags', 'mtime', 'mode', 'device'] })).toEqual([]);
    });

    it('finds an entry too many, at any depth', () => {
      writeFileSync(`${copy}/deep/level-1/level-2/level-3/level-4/level-5/more\n`, '');
      expect(compareTrees(source, copy, { ignore: ['flags', 'mtime'] })).toEqual([
        'deep/level-1/level-2/level-3/level-4/level-5/more\\x0a: only in the second tree',
      ]);
    });

    it('finds a renamed entry, and leaves out paths on request', () => {
      renameSync(`${copy}/nodes`, `${copy}/knots`);
      const ignore: Attribute[] = ['flags', 'mtime'];
      expect(compareTrees(source, copy, { ignore })).toEqual([
        'nodes: only in the first tree',
        'knots: only in the second tree',
      ]);
      const ignorePath = (path: string) => path === 'nodes' || path === 'knots';
      expect(compareTrees(source, copy, { ignore, ignorePath })).toEqual([]);
    });

    it('compares the roots unless told otherwise', () => {
      chmodSync(copy, 0o700);
      expect(compareTrees(source, copy, { ignore: ['flags'] })).toEqual(['.: mode 0755 != 0700']);
      expect(compareTrees(source, copy, { ignore: ['flags'], ignoreRoot: true })).toEqual([]);
    });

    it('stops at the limit', () => {
      for (const name of readdirSync(`${copy}/wide`)) chmodSync(`${copy}/wide/${name}`, 0o600);
      expect(compareTrees(source, copy, { ignore: ['flags'] })).toHaveLength(30);
      expect(compareTrees(source, copy, { ignore: ['flags'], limit: 3 })).toHaveLength(3);
    });
  });

  it('throws for a tree that is not there', () => {
    expect(() => compareTrees(source, `${directory}/none`)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
