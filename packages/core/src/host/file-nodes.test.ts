import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  lstatSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fsPath } from './byte-path.ts';
import { decodeDevice, encodeDevice, linkNoFollow, makeNode } from './file-nodes.ts';

const { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFREG } = constants;
const isRoot = process.getuid?.() === 0;
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-nodes-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

describe('device numbers', () => {
  it('round-trip, and are those of the C library', () => {
    const device = fc.record({ major: fc.nat({ max: 0xfff }), minor: fc.nat({ max: 0xf_ffff }) });
    fc.assert(
      fc.property(device, (pair) => {
        expect(decodeDevice(encodeDevice(pair))).toEqual(pair);
      }),
    );
    expect(decodeDevice(lstatSync('/dev/null').rdev)).toEqual({ major: 1, minor: 3 });
    expect(encodeDevice({ major: 0xabc, minor: 0xfedcb })).toBe(0xfedabccbn);
  });

  it.each([
    { major: 4096, minor: 0 },
    { major: 0, minor: 1_048_576 },
    { major: -1, minor: 0 },
    { major: 0.5, minor: 0 },
  ])('refuses %j', (pair) => {
    expect(() => encodeDevice(pair)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });
});

describe('makeNode', () => {
  it('makes a FIFO and a socket', () => {
    makeNode(`${directory}/fifo`, S_IFIFO | 0o600);
    makeNode(`${directory}/socket\xff`, S_IFSOCK | 0o600);
    expect(lstatSync(`${directory}/fifo`).isFIFO()).toBe(true);
    expect(lstatSync(fsPath(`${directory}/socket\xff`)).isSocket()).toBe(true);
  });

  it.runIf(isRoot)('makes devices that another program reads the same', () => {
    makeNode(`${directory}/char`, S_IFCHR | 0o600, { major: 1, minor: 3 });
    makeNode(`${directory}/block`, S_IFBLK | 0o600, { major: 240, minor: 70_000 });
    expect(lstatSync(`${directory}/char`).isCharacterDevice()).toBe(true);
    expect(lstatSync(`${directory}/block`).isBlockDevice()).toBe(true);
    const shown = execFileSync('stat', ['-c', '%Hr:%Lr', `${directory}/char`, `${directory}/block`]);
    expect(shown.toString()).toBe('1:3\n240:70000\n');
  });

  it('does not replace what is there, and makes no regular file', () => {
    symlinkSync('/no/such', `${directory}/link`);
    expect(() => makeNode(`${directory}/link`, S_IFIFO | 0o600)).toThrow(
      expect.objectContaining({ code: 'EEXIST', syscall: 'mknod' }),
    );
    expect(() => makeNode(`${directory}/a`, S_IFREG | 0o600)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => makeNode(`${directory}/a`, S_IFCHR | 0o600)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });
});

describe('linkNoFollow', () => {
  it('links a link, not its target, through a held directory', () => {
    writeFileSync(`${directory}/file`, 'x');
    symlinkSync('file', `${directory}/link`);
    const fd = openSync(directory, 'r');
    try {
      linkNoFollow(`/proc/self/fd/${fd}/link`, `/proc/self/fd/${fd}/second\xff`);
    } finally {
      closeSync(fd);
    }
    expect(readlinkSync(fsPath(`${directory}/second\xff`))).toBe('file');
    expect(lstatSync(`${directory}/link`).nlink).toBe(2);
    expect(lstatSync(`${directory}/file`).nlink).toBe(1);
  });
});
