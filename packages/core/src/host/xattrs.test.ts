import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromUtf8, fsPath } from './byte-path.ts';
import { getXattr, listXattrs, readXattrs, removeXattr, setXattr } from './xattrs.ts';

const isRoot = process.getuid?.() === 0;
let directory = '';
let file = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-xattrs-'));
  file = join(directory, 'file');
  writeFileSync(file, 'x');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('extended attributes', () => {
  it('shares one empty list between all files that have none', () => {
    expect(listXattrs(file)).toEqual([]);
    expect(listXattrs(file)).toBe(listXattrs(directory));
  });

  it('stores empty, binary and long values, lists names in byte order', () => {
    const binary = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    setXattr(file, 'user.z', Buffer.alloc(0));
    setXattr(file, 'user.a', binary);
    setXattr(file, fromUtf8('user.größe'), Buffer.alloc(2000, 7));
    setXattr(file, 'user.\xff', Buffer.from('1'));
    expect(listXattrs(file)).toEqual(['user.a', fromUtf8('user.größe'), 'user.z', 'user.\xff']);
    expect(getXattr(file, 'user.z')).toEqual(Buffer.alloc(0));
    expect(getXattr(file, 'user.a')).toEqual(binary);
    expect(readXattrs(file).map(({ value }) => value.length)).toEqual([256, 2000, 0, 1]);
  });

  it('gives values that later calls leave alone', () => {
    setXattr(file, 'user.a', Buffer.from('first'));
    const value = getXattr(file, 'user.a');
    setXattr(file, 'user.a', Buffer.from('other'));
    getXattr(file, 'user.a');
    expect(value?.toString()).toBe('first');
  });

  it('agrees with another program', () => {
    execFileSync('setfattr', ['-n', 'user.from.setfattr', '-v', 'value', file]);
    expect(readXattrs(file)).toEqual([{ name: 'user.from.setfattr', value: Buffer.from('value') }]);
  });

  it('tells a missing attribute from a missing file', () => {
    expect(getXattr(file, 'user.none')).toBeUndefined();
    expect(() => removeXattr(file, 'user.none')).toThrow(expect.objectContaining({ code: 'ENODATA' }));
    const missing = join(directory, 'missing');
    for (const call of [
      () => listXattrs(missing),
      () => getXattr(missing, 'user.a'),
      () => setXattr(missing, 'user.a', Buffer.alloc(1)),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: 'ENOENT', path: missing }));
    }
  });

  it('removes', () => {
    setXattr(file, 'user.a', Buffer.from('1'));
    removeXattr(file, 'user.a');
    expect(listXattrs(file)).toEqual([]);
  });

  it('works on names that are not UTF-8, through a held directory', () => {
    const name = 'bad\xff\xfe\nname';
    writeFileSync(fsPath(`${directory}/${name}`), '');
    const fd = openSync(directory, 'r');
    try {
      setXattr(`/proc/self/fd/${fd}/${name}`, 'user.a', Buffer.from('1'));
      expect(listXattrs(`${directory}/${name}`)).toEqual(['user.a']);
    } finally {
      closeSync(fd);
    }
  });

  it.runIf(isRoot)('acts on a link itself, never on its target', () => {
    const link = join(directory, 'link');
    symlinkSync('file', link);
    setXattr(link, 'trusted.a', Buffer.from('link'));
    expect(listXattrs(link)).toEqual(['trusted.a']);
    expect(listXattrs(file)).toEqual([]);
    // The kernel refuses user attributes on links: another sign that the target was not meant.
    expect(() => setXattr(link, 'user.a', Buffer.from('1'))).toThrow(expect.objectContaining({ code: 'EPERM' }));
  });

  it('carries POSIX ACLs as the kernel encodes them', () => {
    execFileSync('setfacl', ['-m', 'u:54322:rwx,g:54323:r-x', file]);
    const blob = getXattr(file, 'system.posix_acl_access');
    expect(blob?.length).toBe(4 + 6 * 8);
    const copy = join(directory, 'copy');
    writeFileSync(copy, '');
    setXattr(copy, 'system.posix_acl_access', blob ?? Buffer.alloc(0));
    const shown = (path: string) => execFileSync('getfacl', ['-n', '-c', '-p', path], { encoding: 'utf8' });
    expect(shown(copy)).toBe(shown(file));
    expect(shown(copy)).toContain('user:54322:rwx');
  });

  it('gives an empty list where the file system has no attributes', () => {
    expect(listXattrs('/proc/self/status')).toEqual([]);
  });
});
