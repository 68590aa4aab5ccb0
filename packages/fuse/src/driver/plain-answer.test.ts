import { describe, expect, it } from 'vitest';

import { KERNEL_BYTES } from '../../test/support/kernel-bytes.ts';
import { plainAnswer } from './plain-answer.ts';
import { PlainNodes } from './plain-nodes.ts';

/** For attribute `user.a` of node 3, 256 bytes of room. */
const getxattr = Buffer.from(KERNEL_BYTES.getxattr, 'hex');

function listxattr(size: number): Buffer {
  const request = Buffer.from(getxattr.subarray(0, 48));
  // FUSE_LISTXATTR.
  request.writeUInt32LE(23, 4);
  request.writeUInt32LE(size, 40);
  return request;
}

describe('what the thread that reads requests answers itself', () => {
  it('is that a node without extended attributes has none', () => {
    const plain = new PlainNodes();
    expect(plainAnswer(getxattr, plain)).toBeUndefined();
    plain.add(3);
    // Length 16, error −61 (ENODATA), unique 8.
    expect(plainAnswer(getxattr, plain)?.toString('hex')).toBe('10000000c3ffffff0800000000000000');
    expect(plainAnswer(listxattr(0), plain)?.toString('hex')).toBe('180000000000000008000000000000000000000000000000');
    expect(plainAnswer(listxattr(100), plain)?.toString('hex')).toBe('10000000000000000800000000000000');
  });

  it('is nothing else', () => {
    const plain = new PlainNodes();
    plain.add(5);
    for (const name of ['read', 'lookup', 'open', 'init', 'interrupt'] as const) {
      expect(plainAnswer(Buffer.from(KERNEL_BYTES[name], 'hex'), plain)).toBeUndefined();
    }
    expect(plainAnswer(getxattr, plain)).toBeUndefined();
    // Another node in the same place of the table takes it over.
    plain.add(3 + 65_536);
    expect([plain.has(3), new PlainNodes(plain.shared).has(3 + 65_536)]).toEqual([false, true]);
  });
});
