import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, fsPath } from '../host/byte-path.ts';
import { compareTrees } from './compare-trees.ts';
import { DirectoryCursor } from './directory-cursor.ts';
import { HARD_NAMES } from './hard-names.ts';
import { makeHardTree } from './hard-tree.ts';
import { removeTree } from './remove-tree.ts';

const isRoot = process.getuid?.() === 0;
let directory = '';
let root = '';
let skipped: readonly string[] = [];

const stat = (name: string) => lstatSync(fsPath(`${root}/${name}`), { bigint: true });

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-hard-tree-'));
  root = join(directory, 'tree');
  ({ skipped } = makeHardTree(root, { huge: true }));
});

afterAll(() => {
  removeTree(directory);
});

describe('the hard tree', () => {
  it('has every hard name, each once', () => {
    expect(new Set(HARD_NAMES).size).toBe(HARD_NAMES.length);
    const names = readdirSync(fsPath(`${root}/names`), { encoding: 'latin1' });
    expect(names.sort()).toEqual([...HARD_NAMES, 'directory \xff\xfe'].sort());
    for (const name of HARD_NAMES) expect(bytesOf(name).length).toBeLessThanOrEqual(255);
    expect(readFileSync(fsPath(`${root}/names/\xff\xfe not UTF-8`), 'latin1')).toBe('\xff\xfe not UTF-8');
  });

  it('has sparse files', () => {
    expect(stat('sparse/middle')).toMatchObject({ size: 64n << 20n });
    expect(stat('sparse/middle').blocks * 512n).toBeLessThan(2n << 20n);
    expect(stat('sparse/huge').size).toBe(1n << 40n);
    expect(stat('sparse/huge').blocks * 512n).toBeLessThan(1n << 20n);
    expect(stat('contents/zeros').blocks * 512n).toBeGreaterThanOrEqual(2n << 20n);
  });

  it('has hard links of files, links and nodes', () => {
    expect(stat('links/first').nlink).toBe(3n);
    expect(stat('links/directory/third\xff').ino).toBe(stat('links/first').ino);
    for (const name of ['links/dangling', 'nodes/fifo', 'nodes/socket']) {
      expect(stat(`${name}-second`).ino).toBe(stat(name).ino);
    }
  });

  it('has times before 1970 and after 2106', () => {
    expect(stat('times/before-1970-fraction-link').mtimeNs).toBe(-1_500_000_000_000_000_001n);
    expect(stat('times/year-2200-directory').mtimeNs).toBe(7_258_118_400_999_999_999n);
    expect(stat('times').mtimeNs).toBe(-123_456_789n);
  });

  it.runIf(isRoot)('has devices, owners and modes', () => {
    expect(stat('nodes/block').isBlockDevice()).toBe(true);
    expect(stat('owners/link')).toMatchObject({ uid: 54_321n, gid: 54_322n });
    expect(stat('owners/file').mode & 0o7777n).toBe(0o4750n);
    expect(stat('modes/file-0000').mode & 0o7777n).toBe(0n);
    expect(stat('modes/directory-1777').mode & 0o7777n).toBe(0o1777n);
  });

  it('has ACLs and attributes that other programs read', () => {
    const acl = execFileSync('getfacl', ['-n', '-c', '-p', `${root}/acls/file`, `${root}/acls/directory`]).toString();
    expect(acl).toContain('\nuser:54321:rwx');
    expect(acl).toContain('\ndefault:group:54321:r-x');
    const value = execFileSync('getfattr', [
      '-n',
      'user.long',
      '--only-values',
      '--absolute-names',
      `${root}/xattrs/long`,
    ]);
    expect(value).toHaveLength(3 * 1024);
  });

  it('says what was left out, and why', () => {
    for (const line of skipped) expect(line).toMatch(/^[^:]+: E[A-Z0-9]+$/);
    if (isRoot) expect(skipped.length).toBeLessThanOrEqual(2);
  });

  it('is the same again with the same options, and smaller when asked', () => {
    const again = join(directory, 'again');
    makeHardTree(again, { small: true });
    const second = `${directory}/second, not UTF-8 \xff`;
    makeHardTree(second, { small: true });
    expect(compareTrees(again, second, { ignore: ['mtime'], sparse: true })).toEqual([]);
    expect(lstatSync(join(again, 'contents/random')).size).toBe((3 * 1024 * 1024) / 16);
  });
});

describe('a tree deeper and wider than usual', () => {
  it('can be made, walked, compared and removed beyond PATH_MAX', () => {
    const deep = join(directory, 'deep-tree');
    makeHardTree(deep, { small: true, depth: 1000, entries: 2000 });
    expect(readdirSync(join(deep, 'wide'))).toHaveLength(2000);
    const cursor = new DirectoryCursor(join(deep, 'deep'));
    try {
      let depth = 0;
      while (!cursor.list().includes('bottom')) {
        cursor.enter(`level-${++depth}`);
      }
      expect(depth).toBe(1000);
      expect(cursor.relativePath('bottom').length).toBeGreaterThan(4096);
      expect(readFileSync(cursor.path('bottom'), 'utf8')).toBe('bottom');
    } finally {
      cursor.close();
    }
    expect(compareTrees(deep, deep)).toEqual([]);
    removeTree(deep);
    expect(readdirSync(directory)).not.toContain('deep-tree');
  });
});
