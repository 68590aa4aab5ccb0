import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseUsers, systemUsers } from './users.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
# comment:x:7:7
backup:x:34:34:backup:/var/backups:
toor:x:0:0:second name of an id:/root:/bin/sh
backup:x:99:99:second id of a name::
größe:x:1000:1000::/home/g:

+nis:x:5:5::
+::::::
broken:x
bad:x:abc:1
empty:x::1
minus:x:-1:1
none:x:4294967295:1
nobody:x:65534:65534:nobody:/:/sbin/nologin`;

describe('parseUsers', () => {
  const table = parseUsers(PASSWD, 'root:x:0:\nwheel:x:10:root,backup\n');

  it('finds names and ids, users apart from groups', () => {
    expect(table.userName(34)).toBe('backup');
    expect(table.userId('größe')).toBe(1000);
    expect(table.groupName(10)).toBe('wheel');
    expect(table.groupId('wheel')).toBe(10);
    expect(table.userName(10)).toBeUndefined();
    expect(table.groupId('backup')).toBeUndefined();
    expect(table.userName(65534)).toBe('nobody');
  });

  it('takes the first line of a name or id, as the C library does', () => {
    expect(table.userName(0)).toBe('root');
    expect(table.userId('toor')).toBe(0);
    expect(table.userId('backup')).toBe(34);
    expect(table.userName(99)).toBe('backup');
  });

  it.each([5, 7, 4_294_967_295, 54_321])('has no name for %i', (uid) => {
    expect(table.userName(uid)).toBeUndefined();
  });

  it.each(['broken', 'bad', 'empty', 'minus', 'none', '+nis', '# comment', 'constructor'])(
    'has no id for %s',
    (name) => {
      expect(table.userId(name)).toBeUndefined();
    },
  );

  it('is empty for empty files', () => {
    expect(parseUsers('', '').userName(0)).toBeUndefined();
  });
});

it('reads this machine as id(1) does', () => {
  const ask = (option: string) => execFileSync('id', [option], { encoding: 'utf8' }).trim();
  const table = systemUsers();
  expect(table.userName(Number(ask('-u')))).toBe(ask('-un'));
  expect(table.groupName(Number(ask('-g')))).toBe(ask('-gn'));
  expect(table.userId(ask('-un'))).toBe(Number(ask('-u')));
});
