import { describe, expect, it } from 'vitest';

import { parseMountTable, readMountTable } from './mount-table.ts';

describe('the table of mounts', () => {
  it('is read as proc(5) says, escapes and optional fields included', () => {
    const text =
      '36 35 98:0 / / rw,noatime master:1 - ext4 /dev/root rw,errors=continue\n' +
      '40 36 0:45 / /mnt/a\\040b\\134c ro,nosuid,nodev,relatime - fuse.cairn cairn:home\\0401 ro,user_id=0\n';
    expect(parseMountTable(text)).toEqual([
      { id: 36, directory: '/', type: 'ext4', source: '/dev/root', device: '98:0' },
      { id: 40, directory: '/mnt/a b\\c', type: 'fuse.cairn', source: 'cairn:home 1', device: '0:45' },
    ]);
    expect(readMountTable().some(({ directory }) => directory === '/proc')).toBe(true);
  });
});
