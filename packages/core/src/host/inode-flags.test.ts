import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  FINAL_INODE_FLAGS,
  getInodeFlags,
  getInodeFlagsOf,
  INODE_FLAG,
  KEPT_INODE_FLAGS,
  setInodeFlags,
} from './inode-flags.ts';

const { noDump, noAtime, immutable, noCopyOnWrite, dirSync } = INODE_FLAG;
const isRoot = process.getuid?.() === 0;
let directory = '';
let file = '';
let fd = -1;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-flags-'));
  file = join(directory, 'file');
  writeFileSync(file, 'x');
  fd = openSync(file, 'r');
});

afterEach(() => {
  setInodeFlags(fd, 0, FINAL_INODE_FLAGS);
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

/** Letters as lsattr(1) prints them. */
const lsattr = (path: string) => execFileSync('lsattr', ['-d', path], { encoding: 'utf8' }).split(' ')[0];

function tmpHasFlags(): boolean {
  return getInodeFlagsOf(tmpdir()) !== undefined;
}

describe.runIf(tmpHasFlags())('inode flags', () => {
  it('reads what another program sets, without the flags of the file system', () => {
    expect(getInodeFlags(fd)).toBe(0);
    execFileSync('chattr', ['+dA', file]);
    expect(getInodeFlags(fd)).toBe(noDump | noAtime);
    expect(getInodeFlagsOf(file)).toBe(noDump | noAtime);
  });

  it('sets what another program reads', () => {
    expect(setInodeFlags(fd, noDump | noAtime)).toBe(0);
    expect(lsattr(file)).toMatch(/d.*A|A.*d/);
    expect(setInodeFlags(fd, noAtime)).toBe(0);
    expect(lsattr(file)).not.toContain('d');
  });

  it('leaves flags outside the mask alone', () => {
    setInodeFlags(fd, noDump);
    expect(setInodeFlags(fd, noAtime, noAtime)).toBe(0);
    expect(getInodeFlags(fd)).toBe(noDump | noAtime);
    expect(setInodeFlags(fd, 0, noAtime)).toBe(0);
    expect(getInodeFlags(fd)).toBe(noDump);
  });

  it('works on directories', () => {
    const directoryFd = openSync(directory, 'r');
    try {
      expect(setInodeFlags(directoryFd, noDump | dirSync)).toBe(0);
    } finally {
      closeSync(directoryFd);
    }
    expect(getInodeFlagsOf(directory)).toBe(noDump | dirSync);
  });

  it('sets the others when one is refused, and names the one', () => {
    const refused = setInodeFlags(fd, noDump | noCopyOnWrite);
    const set = getInodeFlags(fd) ?? 0;
    expect(set & noDump).toBe(noDump);
    expect(refused).toBe(set & noCopyOnWrite ? 0 : noCopyOnWrite);
  });

  it.runIf(isRoot)('sets and clears immutable', () => {
    expect(setInodeFlags(fd, immutable | noDump)).toBe(0);
    expect(() => writeFileSync(file, 'y')).toThrow(expect.objectContaining({ code: 'EPERM' }));
    expect(setInodeFlags(fd, 0)).toBe(0);
    writeFileSync(file, 'y');
  });

  it('refuses to follow a link', () => {
    const link = join(directory, 'link');
    symlinkSync('file', link);
    expect(() => getInodeFlagsOf(link)).toThrow(expect.objectContaining({ code: 'ELOOP' }));
  });
});

it('gives undefined where the file system has no flags, and reports all wanted ones as not set', () => {
  const status = openSync('/proc/self/status', 'r');
  try {
    expect(getInodeFlags(status)).toBeUndefined();
    expect(setInodeFlags(status, noDump)).toBe(noDump);
    expect(setInodeFlags(status, 0)).toBe(0);
  } finally {
    closeSync(status);
  }
});

it('throws for a descriptor that is none', () => {
  expect(() => getInodeFlags(1_000_000)).toThrow(expect.objectContaining({ code: 'EBADF' }));
});

it('keeps each flag once', () => {
  expect(KEPT_INODE_FLAGS).toBe(Object.values(INODE_FLAG).reduce((sum, flag) => sum + flag, 0));
});
