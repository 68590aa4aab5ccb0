import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { addressBelow, hasScheme, parseAddress } from './address.ts';

describe('parseAddress', () => {
  it.each([
    ['/backup/repo', '/backup/repo'],
    ['repo', 'repo'],
    ['./user@host:repo', './user@host:repo'],
    ['a:b', 'a:b'],
    ['file:///backup/my%20repo', '/backup/my repo'],
    ['file://localhost/backup', '/backup'],
  ])('takes %s for a directory', (text, path) => {
    expect(parseAddress(text)).toEqual({ kind: 'directory', path });
  });

  it.each([
    ['s3://backups', { bucket: 'backups', prefix: '' }],
    ['s3://backups/', { bucket: 'backups', prefix: '' }],
    ['s3://backups/hosts/web-1/', { bucket: 'backups', prefix: 'hosts/web-1' }],
    ['S3://backups/x', { bucket: 'backups', prefix: 'x' }],
    [
      's3://backups/x?endpoint=https://s3.example.org:9000&region=eu-1&style=host',
      { bucket: 'backups', prefix: 'x', endpoint: 'https://s3.example.org:9000', region: 'eu-1', style: 'host' },
    ],
    ['s3://backups?endpoint=s3.example.org', { bucket: 'backups', prefix: '', endpoint: 'https://s3.example.org' }],
  ])('takes %s for a bucket', (text, expected) => {
    expect(parseAddress(text)).toEqual({ kind: 's3', ...expected });
  });

  it.each([
    '',
    'ftp://host/x',
    's3:https://host/bucket',
    'user@host:repo',
    'sftp:user@host:/repo',
    'file://otherhost/backup',
    's3://b',
    's3://-bucket',
    's3://bucket/a b',
    's3://bucket/a/../b',
    's3://bucket/%00',
    's3://bucket?endpoint=ftp://host',
    's3://bucket?endpoint=https://host/path',
    's3://bucket?colour=red',
    's3://bucket?style=both',
    's3://bucket?region=a%20b',
    's3://[',
  ])('refuses %s', (text) => {
    expect(() => parseAddress(text)).toThrow(expect.toSatisfy((error) => isCairnError(error, 'USAGE')));
  });

  it('refuses a password, and does not show it', () => {
    for (const text of ['s3://key:hush-hush@bucket/x', 's3://bucket?endpoint=https://key:hush-hush@host']) {
      expect(() => parseAddress(text)).toThrow(/credentials|password/);
      try {
        parseAddress(text);
      } catch (error) {
        expect(JSON.stringify(error)).not.toContain('hush');
      }
    }
  });

  it('takes any other text for a path, or refuses it', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const address = parseAddress(text);
          if (address.kind === 'directory' && !hasScheme(text)) expect(address.path).toBe(text);
        } catch (error) {
          expect(isCairnError(error, 'USAGE')).toBe(true);
        }
      }),
    );
  });
});

describe('addressBelow', () => {
  it('names a part of a store', () => {
    const below = (text: string) => addressBelow(parseAddress(text), 'part');
    expect(below('/backup')).toMatchObject({ path: '/backup/part' });
    expect(below('s3://bucket')).toMatchObject({ prefix: 'part' });
    expect(below('s3://bucket/x')).toMatchObject({ prefix: 'x/part' });
  });
});
