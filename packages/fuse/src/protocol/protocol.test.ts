import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { KERNEL_BYTES } from '../../test/support/kernel-bytes.ts';
import { INIT_FLAG, OPCODE } from './constants.ts';
import { DirectoryBuffer } from './directory-buffer.ts';
import {
  encodeAttributes,
  encodeEntry,
  encodeHeader,
  encodeInit,
  encodeIoctl,
  encodeOpen,
  encodeSeek,
  encodeStatistics,
  encodeXattrSize,
  errnoOf,
} from './replies.ts';
import { decodeRequest, MalformedRequest } from './requests.ts';

const bytes = (name: keyof typeof KERNEL_BYTES): Buffer => Buffer.from(KERNEL_BYTES[name], 'hex');
const hex = (buffer: Uint8Array): string => Buffer.from(buffer).toString('hex');

describe('requests of the kernel', () => {
  it('are decoded as the kernel lays them out', () => {
    expect(decodeRequest(bytes('init'))).toMatchObject({
      kind: 'init',
      unique: 2n,
      major: 7,
      minor: 45,
      readahead: 131_072,
    });
    expect(decodeRequest(bytes('lookup'))).toEqual({
      kind: 'lookup',
      opcode: OPCODE.lookup,
      unique: 0x1122_3344_5566_7788n,
      node: 0x2_0000_0001,
      uid: 1000,
      gid: 1001,
      pid: 77,
      name: 'a\xff\n',
    });
    expect(decodeRequest(bytes('read'))).toMatchObject({ kind: 'read', node: 5, offset: 2 ** 40 - 1, size: 1_048_576 });
    expect(decodeRequest(bytes('readdirplus'))).toMatchObject({ kind: 'readdir', plus: true, offset: 12, size: 4096 });
    expect(decodeRequest(bytes('forget'))).toMatchObject({ kind: 'forget', forgets: [{ node: 33, count: 4 }] });
    expect(decodeRequest(bytes('batchForget'))).toMatchObject({
      kind: 'forget',
      forgets: [
        { node: 1, count: 2 },
        { node: 2 ** 32, count: 1 },
      ],
    });
    expect(decodeRequest(bytes('getxattr'))).toMatchObject({ kind: 'getxattr', name: 'user.a', size: 256 });
    expect(decodeRequest(bytes('lseek'))).toMatchObject({ kind: 'lseek', offset: 4096, whence: 4 });
    expect(decodeRequest(bytes('interrupt'))).toMatchObject({ kind: 'interrupt', target: 0xffff_ffff_ffff_fff0n });
    expect(decodeRequest(bytes('open'))).toMatchObject({ kind: 'open', flags: 0o100001 });
    expect(decodeRequest(bytes('ioctl'))).toMatchObject({ kind: 'ioctl', command: 0x8008_6601, outSize: 8 });
  });

  it('name the flags of INIT by the same bits', () => {
    const { flags } = decodeRequest(bytes('init')) as { flags: number };
    const { asyncRead, readdirplus, maxPages, posixAcl, noOpenSupport } = INIT_FLAG;
    expect(flags & (asyncRead | readdirplus | maxPages | posixAcl)).toBe(asyncRead | readdirplus | maxPages | posixAcl);
    expect(flags & noOpenSupport).toBe(0);
  });

  it('are refused, and nothing else happens, when they are cut, changed or random', () => {
    const names = [
      'init',
      'lookup',
      'read',
      'readdirplus',
      'forget',
      'batchForget',
      'getxattr',
      'lseek',
      'open',
    ] as const;
    const tried = (request: Uint8Array): void => {
      try {
        decodeRequest(request);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedRequest);
      }
    };
    for (const name of names) {
      const whole = bytes(name);
      for (let length = 0; length < whole.length; length++) {
        const cut = Buffer.from(whole.subarray(0, length));
        expect(() => decodeRequest(cut)).toThrow(MalformedRequest);
        // Also when it says that it is so short.
        if (length >= 4) cut.writeUInt32LE(length, 0);
        tried(cut);
      }
      for (let at = 4; at < whole.length; at++) {
        const changed = Buffer.from(whole);
        changed[at] = 0xff;
        tried(changed);
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 60 }), (random, opcode) => {
        const request = Buffer.from(random);
        if (request.length >= 8) {
          request.writeUInt32LE(request.length, 0);
          request.writeUInt32LE(opcode, 4);
        }
        tried(request);
      }),
    );
  });
});

const ATTRIBUTES = {
  node: 0x12_3456_789a,
  size: 2 ** 40 + 5,
  blocks: 24,
  // Half a second after the second before the last one of 1969.
  mtimeNs: -1_500_000_000n,
  ctimeNs: 7_258_118_400_999_999_999n,
  mode: 0o104755,
  links: 3,
  uid: 54_321,
  gid: 54_322,
  device: null,
} as const;

describe('answers to the kernel', () => {
  it('are encoded as the kernel lays them out', () => {
    expect(hex(encodeHeader(0x1122_3344_5566_7788n, 0, 8))).toBe(KERNEL_BYTES.outOk);
    expect(hex(encodeHeader(7n, errnoOf('EROFS'), 0))).toBe(KERNEL_BYTES.outErofs);
    expect(hex(encodeEntry({ attributes: ATTRIBUTES, validS: 3600 }))).toBe(KERNEL_BYTES.entryOut);
    const device = { ...ATTRIBUTES, mode: 0o60640, device: [240, 70_000] } as const;
    expect(hex(encodeAttributes({ attributes: device, validS: 1 }))).toBe(KERNEL_BYTES.attrOut);
    const flags = INIT_FLAG.asyncRead | INIT_FLAG.maxPages;
    const init = { minor: 45, flags, readahead: 131_072, background: 64, maxWrite: 4096, maxPages: 256 };
    expect(hex(encodeInit(init))).toBe(KERNEL_BYTES.initOut);
    expect(hex(encodeOpen((1 << 1) | (1 << 3)))).toBe(KERNEL_BYTES.openOut);
    expect(hex(encodeSeek(2 ** 40 + 1))).toBe(KERNEL_BYTES.lseekOut);
    expect(hex(encodeXattrSize(300))).toBe(KERNEL_BYTES.getxattrOut);
    // FS_NODUMP_FL (linux/fs.h).
    expect(hex(encodeIoctl(0x40, 8))).toBe(KERNEL_BYTES.ioctlOut);
    expect(hex(encodeStatistics({ bytes: 8193, files: 7 }))).toBe(KERNEL_BYTES.statfsOut);
  });

  it('tell directories entry by entry, and stop when there is no room', () => {
    const whole = bytes('readdirOut');
    const entries = [
      { node: 1, next: 1, type: 4, name: '.' },
      { node: 0x2_0000_0003, next: 3, type: 8, name: 'a\xffb' },
    ];
    const buffer = new DirectoryBuffer(Buffer.alloc(whole.length));
    expect(entries.map((entry) => buffer.add(entry))).toEqual([true, true]);
    expect(buffer.add({ node: 9, next: 4, type: 8, name: 'x' })).toBe(false);
    expect(hex(buffer.bytes())).toBe(KERNEL_BYTES.readdirOut);
    const short = new DirectoryBuffer(Buffer.alloc(whole.length - 1));
    expect(entries.map((entry) => short.add(entry))).toEqual([true, false]);
    const plus = new DirectoryBuffer(Buffer.alloc(4096));
    const entry = { node: ATTRIBUTES.node, next: 3, type: 8, name: 'long name' };
    expect(plus.addPlus(entry, { attributes: ATTRIBUTES, validS: 3600 })).toBe(true);
    expect(hex(plus.bytes())).toBe(KERNEL_BYTES.readdirplusOut);
  });
});
