import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Workplace, MAIN } from './support/cairn.ts';
import { isMounted, Mounted, sh, until } from './support/mounted.ts';
import { SftpAccount } from './support/sftp-account.ts';

/** An account that may do nothing: that of nobody on every Debian. */
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] as const;

let place: Workplace;
let source: string;

beforeAll(() => {
  place = new Workplace();
  // Directories of tests are private; here others have to get through to what they own.
  chmodSync(place.directory, 0o755);
  source = place.path('source');
  mkdirSync(`${source}/photos`, { recursive: true });
  writeFileSync(`${source}/secret`, 'only for root\n', { mode: 0o600 });
  writeFileSync(`${source}/open`, 'for everybody\n', { mode: 0o644 });
  writeFileSync(`${source}/name \u00e9 "quoted"`, 'odd');
  symlinkSync('open', `${source}/link`);
  for (let i = 0; i < 40; i++) writeFileSync(`${source}/photos/${i}.jpg`, pseudoPhoto(i));
  place.good(['init', '-r', place.path('repo')]);
  place.good(['backup', '-r', place.path('repo'), source]);
});

afterAll(() => place?.remove());

/** Bytes that say where they are from. */
function pseudoPhoto(i: number): Buffer {
  const photo = Buffer.alloc(200_000 + 1000 * i);
  for (let at = 0; at + 8 <= photo.length; at += 8) photo.writeUInt32LE(at, photo.writeUInt32LE(i, at));
  return photo;
}

function asNobody(command: string, args: readonly string[]): { status: number | null; text: string } {
  const [program, ...rest] = [...AS_NOBODY, command, ...args] as [string, ...string[]];
  const env = { PATH: process.env['PATH'] ?? '', HOME: '/', LC_ALL: 'C.UTF-8' };
  const { status, stdout, stderr } = spawnSync(program, rest, { encoding: 'utf8', env, cwd: '/' });
  return { status, text: stdout + stderr };
}

describe.runIf(process.geteuid?.() === 0)('a mount for others', () => {
  it('is shut to them unless it is opened', async () => {
    await using mounted = await Mounted.start(place, 'closed', ['-r', place.path('repo'), 'latest']);
    expect(asNobody('ls', [mounted.directory]).status).not.toBe(0);
    expect(sh('ls', [`${mounted.directory}${source}`])).toContain('secret');
  });

  it('keeps owners and permissions', async () => {
    await using mounted = await Mounted.start(place, 'shared', ['-r', place.path('repo'), 'latest', '--allow-other']);
    const root = `${mounted.directory}${source}`;
    expect(asNobody('cat', [`${root}/open`])).toEqual({ status: 0, text: 'for everybody\n' });
    expect(asNobody('cat', [`${root}/secret`]).text).toContain('Permission denied');
  });

  it('lets an account read all with --ignore-permissions', async () => {
    const options = ['-r', place.path('repo'), 'latest', '--allow-other', '--ignore-permissions'];
    await using mounted = await Mounted.start(place, 'ignoring', options);
    expect(asNobody('cat', [`${mounted.directory}${source}/secret`]).text).toBe('only for root\n');
  });

  it('serves an account that logs in over SFTP: list, get -r, and no put, rm, rename or mkdir', async () => {
    const theirs = place.path('theirs');
    mkdirSync(theirs);
    await using account = await SftpAccount.make(theirs);
    const { name, uid } = account;
    const view = ['--uid', name, '--gid', name, '--umask', '027'];
    await using mounted = await Mounted.start(place, 'sftp', [
      '-r',
      place.path('repo'),
      '--all',
      '--allow-other',
      ...view,
    ]);
    const [archive = ''] = sh('bash', ['-c', 'ls -d */*Z'], { cwd: mounted.directory }).trim().split('\n');
    const root = `${mounted.directory}/${archive}${source}`;
    const status = statSync(`${root}/open`);
    expect([status.uid, status.mode & 0o777]).toEqual([uid, 0o640]);
    const listed = account.sftp([`cd ${root}`, 'ls -la', 'ls photos']);
    expect(listed.status, listed.text).toBe(0);
    for (const one of ['secret', 'open', 'link', 'photos', 'name \u00e9 "quoted"']) expect(listed.text).toContain(one);
    // It is that account that reads: what belongs to root alone, outside of the mount, is not for it.
    expect(account.sftp([`get ${source}/secret ${theirs}/outside`]).text).toContain('Permission denied');
    const got = account.sftp([`get -r ${root} ${theirs}/copy`]);
    expect(got.status, got.text).toBe(0);
    expect(readFileSync(`${theirs}/copy/secret`, 'utf8')).toBe('only for root\n');
    for (let i = 0; i < 40; i++) {
      expect(readFileSync(`${theirs}/copy/photos/${i}.jpg`).equals(pseudoPhoto(i))).toBe(true);
    }
    for (const command of [
      'put /etc/hostname new',
      'rm open',
      'rename open other',
      'mkdir d',
      'chmod 777 open',
      'rmdir photos',
    ]) {
      const refused = account.sftp([`cd ${root}`, command]);
      expect([refused.status, command]).toEqual([1, command]);
    }
    expect(sh('ls', [root])).not.toMatch(/new|other/);
  });

  it('gives a file manager its thumbnails: many small reads anywhere, several at a time', async () => {
    await using mounted = await Mounted.start(place, 'thumbnails', ['-r', place.path('repo'), 'latest']);
    const folder = `${mounted.directory}${source}/photos`;
    const readers = [0, 1, 2].map((seed) => `python3 -c '${THUMBNAILS}' ${seed} "${folder}"`);
    expect(sh('bash', ['-c', `${readers.join(' & ')} & wait -n && wait -n && wait -n`])).toBe('');
  });
});

/** Reads pieces of the photos at random places, and compares them with what they say of themselves. */
const THUMBNAILS = `
import os, random, struct, sys
random.seed(int(sys.argv[1]))
for n in range(400):
    i = random.randrange(40)
    fd = os.open(sys.argv[2] + "/%d.jpg" % i, os.O_RDONLY)
    at = random.randrange(200000 // 8 - 512) * 8
    data = os.pread(fd, 4096, at)
    assert len(data) == 4096
    for k in range(0, 4096, 8):
        assert struct.unpack_from("<II", data, k) == (i, at + k), (i, at, k)
    os.close(fd)
`;

describe.runIf(process.geteuid?.() === 0)('an account without rights', () => {
  it('mounts what it may read with the help of fusermount3, in the background, and unmounts it', async () => {
    // As on every desktop and server: the device is open to all, and the kernel keeps users apart.
    if ((statSync('/dev/fuse').mode & 0o666) !== 0o666) chmodSync('/dev/fuse', 0o666);
    const theirs = place.path('unprivileged');
    mkdirSync(`${theirs}/mnt`, { recursive: true });
    execFileSync('cp', ['-a', place.path('repo'), `${theirs}/repo`]);
    place.good(['key', 'issue', '-r', place.path('repo'), '--rights', 'read', '--output', `${theirs}/read.key`]);
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, theirs]);
    const cairn = (...args: readonly string[]): { status: number | null; text: string } => {
      const [program = '', ...rest] = [...AS_NOBODY, process.execPath, MAIN, ...args];
      const { status, stdout, stderr } = spawnSync(program, rest, {
        encoding: 'utf8',
        env: { ...place.environment(), HOME: theirs },
        cwd: theirs,
      });
      return { status, text: stdout + stderr };
    };
    // Relative paths, as people write them.
    const up = cairn('mount', '-r', 'repo', '--key-file', 'read.key', 'latest', 'mnt', '--json');
    expect(up.status, up.text).toBe(0);
    const { pid, directory } = JSON.parse(up.text) as { pid: number; directory: string };
    expect([directory, isMounted(directory)]).toEqual([`${theirs}/mnt`, true]);
    expect(asNobody('cat', [`${directory}${source}/open`]).text).toBe('for everybody\n');
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).toMatch(new RegExp(`${directory} ro,nosuid,nodev`));
    const again = cairn('mount', '-r', 'repo', '--key-file', 'read.key', 'latest', 'nowhere');
    expect([again.status, again.text]).toEqual([43, expect.stringContaining('ENOENT')]);
    expect(cairn('umount', 'mnt').status).toBe(0);
    await until('the process to end', () => spawnSync('kill', ['-0', `${pid}`]).status !== 0);
    expect(isMounted(directory)).toBe(false);
  });
});
