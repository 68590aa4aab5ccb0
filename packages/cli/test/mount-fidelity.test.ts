import { compareTrees, makeHardTree } from '@cairn/core/testing';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';
import { Mounted, sh } from './support/mounted.ts';

const ENTRIES = 4_000;

let place: Workplace;
let mounted: Mounted;
/** The source, and the same in the mount. */
let source: string;
let shown: string;

beforeAll(async () => {
  place = new Workplace();
  source = place.path('source');
  makeHardTree(source, { small: true, huge: true, entries: ENTRIES, depth: 60 });
  place.good(['init', '-r', place.path('repo')]);
  place.good(['backup', '-r', place.path('repo'), source]);
  mounted = await Mounted.start(place, 'mnt', ['-r', place.path('repo'), 'latest']);
  shown = `${mounted.directory}${source}`;
});

afterAll(async () => {
  await mounted?.[Symbol.asyncDispose]();
  place?.remove();
});

describe.runIf(process.geteuid?.() === 0)('a mounted archive is its source', () => {
  it('in names, kinds, modes, owners, times, links, attributes, flags and content', () => {
    expect(compareTrees(source, shown, { sparse: true })).toEqual([]);
  });

  it('to find -printf', () => {
    // Not compared: sizes and link counts of directories, which no archive keeps.
    const format = (root: string): string[] =>
      sh(
        'find',
        [
          '.',
          '(',
          '-type',
          'd',
          '-printf',
          '%p %y %m %U %G %T@\\0',
          ')',
          '-o',
          '-printf',
          '%p %y %m %U %G %s %n %T@ %l\\0',
        ],
        { cwd: root },
      )
        .split('\0')
        .map((line) => line.replace(/^\. .*/, '.'))
        .sort();
    expect(format(shown)).toEqual(format(source));
  });

  it('to ls -l, to the number of names of a file', () => {
    const list = (root: string): string => sh('ls', ['-l', '--full-time'], { cwd: `${root}/links` });
    const files = (root: string): string[] =>
      list(root)
        .split('\n')
        .filter((line) => /^[-l]/.test(line));
    expect(files(shown)).toEqual(files(source));
    expect(files(shown).find((line) => line.endsWith(' first'))).toMatch(/^-rw-r--r-- 3 /);
  });

  it('to getfattr and getfacl', () => {
    for (const folder of ['xattrs', 'acls']) {
      // In the order of the directory, which is no part of it.
      const dump = (root: string): string[] =>
        sh('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: `${root}/${folder}` })
          .split('\n\n')
          .sort();
      expect(dump(shown)).toEqual(dump(source));
    }
    const acls = (root: string): string =>
      sh('getfacl', ['-n', 'file', 'directory', 'directory/inherits'], { cwd: `${root}/acls` });
    expect(acls(shown)).toBe(acls(source));
    expect(acls(shown)).toContain('user:54321:rwx');
  });

  it('to diff -r, sha256sum and tar', () => {
    // Files of special kinds have no content, and the sparse file of 1 TiB is looked at below.
    const left = ['--exclude=huge', '--exclude=socket*', '--exclude=fifo*', '--exclude=character*', '--exclude=block*'];
    expect(sh('diff', ['-r', '--no-dereference', ...left, source, shown])).toBe('');
    const sums = (root: string): string =>
      sh('bash', ['-c', 'find contents sparse/odd-size names -type f -print0 | sort -z | xargs -0 sha256sum'], {
        cwd: root,
      });
    expect(sums(shown)).toBe(sums(source));
    const tar = (root: string): string =>
      sh(
        'bash',
        [
          '-c',
          'tar --sort=name --sparse --xattrs --acls --numeric-owner --exclude=huge --exclude=socket* --exclude=wide -cf - links nodes modes owners xattrs acls times sparse contents names | tar -tvf - --full-time --numeric-owner | sed -E "/^d/s/ +[0-9]+ / /"',
        ],
        { cwd: root },
      );
    expect(tar(shown)).toBe(tar(source));
  });

  it('to rsync, which would change nothing', () => {
    const changes = sh('rsync', [
      '-aHAX',
      '--numeric-ids',
      '--dry-run',
      '-i',
      '--exclude=wide',
      `${shown}/`,
      `${source}/`,
    ]);
    expect(changes).toBe('');
  });

  it('to whoever seeks for data and holes, up to a file of 1 TiB', () => {
    const ranges = (root: string): string =>
      sh('python3', [
        '-c',
        SEEKS,
        ...['huge', 'middle', 'no-data', 'odd-size', 'first-and-last-byte'].map((name) => `${root}/sparse/${name}`),
      ]);
    expect(ranges(shown)).toBe(ranges(source));
    const { size, blocks } = statSync(`${shown}/sparse/huge`);
    expect([size, blocks]).toEqual([1024 ** 4, statSync(`${source}/sparse/huge`).blocks]);
    sh('cp', ['--sparse=always', `${shown}/sparse/middle`, place.path('copied')]);
    expect(sh('cmp', [place.path('copied'), `${source}/sparse/middle`])).toBe('');
    expect(statSync(place.path('copied')).blocks).toBe(statSync(`${source}/sparse/middle`).blocks);
  });

  it('shows one inode for all names of a file, and others for others', () => {
    const inodes = sh('find', ['.', '-type', 'f', '-printf', '%i\\n'], { cwd: shown }).trim().split('\n');
    const [first, second, third, other] = ['first', 'second', 'directory/third\xff', 'unrelated'].map(
      (name) => statSync(Buffer.from(`${shown}/links/${name}`, 'latin1')).ino,
    );
    expect([second, third]).toEqual([first, first]);
    expect(other).not.toBe(first);
    // All but the two other names of that file.
    expect(new Set(inodes).size).toBe(inodes.length - 2);
  });

  it(`finds each of ${ENTRIES} names in a directory, in any order`, () => {
    const digits = String(ENTRIES).length;
    const indexes = Array.from({ length: 500 }, (_, i) => (i * 7_919) % ENTRIES);
    const names = indexes.map((index) => `wide/entry-${String(index).padStart(digits, '0')}`);
    expect(sh('cat', names, { cwd: shown })).toBe(indexes.join(''));
    expect(sh('bash', ['-c', 'ls -f wide | wc -l; ls wide | sort -c'], { cwd: shown }).trim()).toBe(
      String(ENTRIES + 2),
    );
  });

  it('refuses every change', () => {
    const script = [
      'touch new',
      'rm contents/one-byte',
      'mkdir d',
      'mv contents/empty e',
      'chmod 600 contents/empty',
      'ln contents/empty l',
      'ln -s x y',
      'setfattr -n user.a -v b contents/empty',
      'truncate -s 0 contents/random',
      'mkfifo f',
    ];
    for (const line of script) {
      expect(sh('bash', ['-c', `${line} 2>&1; test $? != 0`], { cwd: shown }), line).toContain('Read-only file system');
    }
  });
});

/** Prints where data and holes begin, as lseek(2) says. */
const SEEKS = `
import os, sys
for path in sys.argv[1:]:
    fd = os.open(path, os.O_RDONLY)
    end = os.fstat(fd).st_size
    at = 0
    places = []
    while at < end:
        try:
            data = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            places.append(error.errno)
            break
        hole = os.lseek(fd, data, os.SEEK_HOLE)
        places.append((data // 4096, -(-hole // 4096)))
        at = hole
    print(os.path.basename(path), end, places)
`;
