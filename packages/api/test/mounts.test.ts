import { nodeSuite, openStore, PANEL, readKeyFile, Repository, systemEnvironment } from '@cairn/core';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { MAIN, Workplace } from '../../cli/test/support/cairn.ts';
import { isMounted, sh, until } from '../../cli/test/support/mounted.ts';
import { SftpAccount } from '../../cli/test/support/sftp-account.ts';
import { panelConfigOf } from '../src/config/panel-file.ts';
import { mountDirectory, mountId } from '../src/mounts/mount-places.ts';
import { MountRecords } from '../src/mounts/mount-records.ts';
import { MountSupervisor } from '../src/mounts/mount-supervisor.ts';
import { OpenRepositories } from '../src/repositories/open-repositories.ts';
import { State } from '../src/state/state.ts';

/** `nobody` and `nogroup` of Debian. */
const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

let place: Workplace;
let base: string;
let source: string;
const open: { panels: { [Symbol.asyncDispose](): Promise<void> }[] } = { panels: [] };

interface Panel extends AsyncDisposable {
  readonly mounts: MountSupervisor;
  readonly records: MountRecords;
}

/** What a start of the panel makes: a supervisor over the state that is there. */
async function panel(how: { settings?: string; keyFile?: string } = {}): Promise<Panel> {
  const text = [
    `state-directory = "${place.path('state')}"`,
    `[[repositories]]\nname = "main"\naddress = "${place.path('repo')}"`,
    `key-file = "${how.keyFile ?? place.path('root.key')}"`,
    `[mounts]\ndirectory = "${base}"\n${how.settings ?? ''}`,
  ].join('\n');
  const config = panelConfigOf('panel.toml', text);
  const state = await State.open(place.path('state'));
  const repositories = new OpenRepositories(config, systemEnvironment);
  const records = new MountRecords(state);
  const mounts = new MountSupervisor({
    config,
    records,
    repositories,
    environment: systemEnvironment,
    cairnCommand: [process.execPath, MAIN],
  });
  const made = {
    mounts,
    records,
    [Symbol.asyncDispose]: async () => {
      await repositories.close();
      state[Symbol.dispose]();
    },
  };
  open.panels.push(made);
  return made;
}

const order = (archive?: string): { repository: string; archive: string | undefined; account: string } => {
  return { repository: 'main', archive, account: 'ada' };
};

/** What the kernel has below the place for mounts. */
function mountedThere(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').filter((directory) => directory.startsWith(`${base}/`));
}

beforeEach(() => {
  place = new Workplace();
  base = place.path('mounts');
  source = place.path('source');
  mkdirSync(`${source}/letters`, { recursive: true });
  writeFileSync(`${source}/letters/1`, 'a letter', { mode: 0o600 });
  place.good(['init', '-r', place.path('repo'), '--key-file', place.path('root.key')]);
  place.good(['backup', '-r', place.path('repo'), '--key-file', place.path('root.key'), source]);
});

afterEach(async () => {
  for (const directory of mountedThere()) execFileSync('umount', ['-l', directory]);
  for (const one of open.panels.splice(0)) await one[Symbol.asyncDispose]();
  place.remove();
});

const cairn = (...args: readonly string[]): string =>
  place.good([...args, '-r', place.path('repo'), '--key-file', place.path('root.key')]);

describe.runIf(isRoot)('mounts of the panel', () => {
  it('are made, shown as the kernel has them, and taken away', async () => {
    const { mounts } = await panel();
    const { mount, isNew } = await mounts.mount(order('latest'));
    const { directory, id, record } = mount;
    expect([isNew, mount.state, mount.standing, record?.account]).toEqual([true, 'mounted', 'live', 'ada']);
    expect(directory).toBe(`${base}/main/${record?.archive?.name}`);
    expect(mountedThere()).toEqual([directory]);
    expect(readFileSync(`${directory}${source}/letters/1`, 'utf8')).toBe('a letter');
    expect((await mounts.list()).map((one) => [one.id, one.state])).toEqual([[id, 'mounted']]);
    await mounts.unmount(id, { lazy: false });
    expect([mountedThere(), existsSync(directory), await mounts.list()]).toEqual([[], false, []]);
    await expect(mounts.unmount(id, { lazy: false })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('may be of the whole repository, beside one of an archive', async () => {
    const { mounts } = await panel();
    const [whole, one] = await Promise.all([mounts.mount(order()), mounts.mount(order('latest'))]);
    expect([whole.mount.directory, whole.mount.record?.archive]).toEqual([`${base}/main/_all`, null]);
    expect(readdirSync(whole.mount.directory)).toHaveLength(1);
    expect((await mounts.list()).map(({ id }) => id).sort()).toEqual([whole.mount.id, one.mount.id].sort());
  });

  it('are one, however often and in whatever words they are asked for at once', async () => {
    const { mounts } = await panel();
    const [{ name = '', id = '' } = {}] = JSON.parse(cairn('list', '--json')) as { name: string; id: string }[];
    const asked = ['latest', name, id, id.slice(0, 10), 'latest', name];
    const made = await Promise.all(asked.map(async (ref) => await mounts.mount(order(ref))));
    expect(new Set(made.map(({ mount }) => mount.id)).size).toBe(1);
    expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(mountedThere()).toHaveLength(1);
    const first = made[0]?.mount.id ?? '';
    // And taken away once: the others are told that there is none.
    const ends = await Promise.allSettled([1, 2, 3].map(async () => await mounts.unmount(first, { lazy: false })));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(mountedThere()).toEqual([]);
  });

  it('outlive a panel that is killed, and one that starts again knows them', async () => {
    const before = await panel();
    const { mount } = await before.mounts.mount(order('latest'));
    const after = await panel();
    expect((await after.mounts.list())[0]).toMatchObject({ id: mount.id, state: 'mounted', record: mount.record });
    expect((await after.mounts.mount(order('latest'))).isNew).toBe(false);
    await after.mounts.unmount(mount.id, { lazy: false });
    expect(await before.mounts.list()).toEqual([]);
  });

  it('that were unmounted by hand, or by a reboot, are forgotten with their directories', async () => {
    const first = await panel();
    const { mount } = await first.mounts.mount(order('latest'));
    execFileSync('umount', [mount.directory]);
    const { mounts, records } = await panel();
    expect([await mounts.list(), records.all(), existsSync(mount.directory)]).toEqual([[], [], false]);
  });

  it('whose process is killed are cleared when somebody looks', async () => {
    const { mounts, records } = await panel();
    const { mount } = await mounts.mount(order('latest'));
    const pids = execFileSync('pgrep', ['-f', `mount .*${mount.directory}$`], { encoding: 'utf8' })
      .trim()
      .split('\n');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    await until('the mount to be dead', () => spawnSync('stat', [mount.directory]).status !== 0);
    expect([await mounts.list(), records.all(), mountedThere()]).toEqual([[], [], []]);
    expect((await mounts.mount(order('latest'))).isNew).toBe(true);
  });

  it('that somebody made by hand are shown, and can be taken away', async () => {
    const { mounts } = await panel();
    const directory = `${base}/by-hand`;
    mkdirSync(directory, { recursive: true });
    cairn('mount', 'latest', directory);
    const [shown] = await mounts.list();
    expect(shown).toEqual({
      id: mountId(directory),
      directory,
      state: 'mounted',
      record: undefined,
      standing: undefined,
    });
    await mounts.unmount(mountId(directory), { lazy: false });
    expect(mountedThere()).toEqual([]);
  });

  it('in use are left alone, and who uses them is named, unless they shall go out of sight', async () => {
    const { mounts } = await panel();
    const { mount } = await mounts.mount(order('latest'));
    const holder = spawn('sleep', ['60'], { cwd: `${mount.directory}${source}` });
    await until('the program to be there', () => sh('readlink', [`/proc/${holder.pid}/cwd`]).includes(base));
    await expect(mounts.unmount(mount.id, { lazy: false })).rejects.toMatchObject({
      code: 'MOUNT_BUSY',
      message: expect.stringContaining(`sleep (${holder.pid})`) as string,
    });
    expect(await mounts.list()).toHaveLength(1);
    await mounts.unmount(mount.id, { lazy: true });
    expect(isMounted(mount.directory)).toBe(false);
    holder.kill();
    await once(holder, 'exit');
  });
});

describe.runIf(isRoot)('an archive that retention took', () => {
  it('stays readable where it is mounted, is said to be gone, and cannot be mounted again', async () => {
    const { mounts } = await panel();
    const { mount } = await mounts.mount(order('latest'));
    const { id = '' } = mount.record?.archive ?? {};
    const standing = async (): Promise<string | undefined> => (await mounts.list())[0]?.standing;
    cairn('delete', id);
    expect(await standing()).toBe('deleted');
    await mounts.unmount(mount.id, { lazy: false });
    cairn('undelete', id);
    const again = await mounts.mount(order(id));
    cairn('delete', id);
    // Its pin holds it.
    cairn('compact', '--grace', '0', '--max-unused', '0');
    expect(await standing()).toBe('deleted');
    expect(readFileSync(`${again.mount.directory}${source}/letters/1`, 'utf8')).toBe('a letter');
    await expect(mounts.mount(order(id))).rejects.toMatchObject({ code: 'ARCHIVE_MISSING' });
    expect(mountedThere()).toHaveLength(1);
  });
});

/** Compacts as a machine would whose clock is `aheadMs` ahead: as this one will, when that time has gone by. */
async function compactIn(aheadMs: number): Promise<number> {
  const { keyFile } = await readKeyFile(nodeSuite, place.path('root.key'));
  const { clock, random } = systemEnvironment;
  const nowNs = (): bigint => clock.nowNs() + BigInt(aheadMs) * 1_000_000n;
  const repository = await Repository.open(await openStore(place.path('repo')), {
    keys: keyFile.capabilities,
    environment: { clock: { nowNs, monotonicMs: () => clock.monotonicMs() + aheadMs }, random },
  });
  try {
    return (await repository.compact({ graceMs: 0, maxUnused: 0 })).dropped.length;
  } finally {
    await repository.close();
  }
}

describe.runIf(isRoot)('an archive whose space was given back', () => {
  it('is gone everywhere but in its mount, which is listed until it is unmounted', async () => {
    const { mounts } = await panel();
    const { mount } = await mounts.mount(order('latest'));
    // Read once, the kernel has it.
    expect(readFileSync(`${mount.directory}${source}/letters/1`, 'utf8')).toBe('a letter');
    cairn('delete', mount.record?.archive?.id ?? '');
    expect(await compactIn(0)).toBe(0);
    // As after a day in which the mount could not renew its pin.
    expect(await compactIn(25 * 3_600_000)).toBe(1);
    expect((await mounts.list()).map(({ state, standing }) => [state, standing])).toEqual([['mounted', 'gone']]);
    expect(readFileSync(`${mount.directory}${source}/letters/1`, 'utf8')).toBe('a letter');
    await mounts.unmount(mount.id, { lazy: false });
    expect(await mounts.list()).toEqual([]);
  });
});

describe.runIf(isRoot)('the SFTP account', () => {
  it('logs in over SSH, has what is mounted with its own owner and permissions, and can only read', async () => {
    const home = place.path('theirs');
    mkdirSync(home);
    await using account = await SftpAccount.make(home);
    const { name, uid } = account;
    const { mounts } = await panel({
      settings: `uid = "${name}"\ngid = "${name}"\numask = "0027"\nallow-other = true`,
    });
    // As its unit starts the panel.
    const umask = process.umask(0o077);
    const { mount } = await mounts.mount(order('latest')).finally(() => process.umask(umask));
    execFileSync('chmod', ['755', place.directory]);
    expect([base, `${base}/main`].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o755]);
    const root = `${mount.directory}${source}`;
    const status = statSync(`${root}/letters/1`);
    expect([status.uid, status.mode & 0o777]).toEqual([uid, 0o600]);
    const listed = account.sftp([`ls ${base}/main`, `ls ${root}/letters`]);
    expect([listed.status, listed.text]).toEqual([0, expect.stringContaining('letters/1')]);
    expect(listed.text).toContain(mount.record?.archive?.name);
    expect(account.sftp([`get ${root}/letters/1 ${home}/1`]).status).toBe(0);
    expect(readFileSync(`${home}/1`, 'utf8')).toBe('a letter');
    // It is that account that reads: the source, which belongs to root alone, is not for it.
    expect(account.sftp([`get ${source}/letters/1 ${home}/2`]).text).toContain('Permission denied');
    for (const command of [
      `rm ${root}/letters/1`,
      `put /etc/hostname ${root}/new`,
      `rename ${root}/letters ${root}/x`,
    ]) {
      expect([account.sftp([command]).status, command]).toEqual([1, command]);
    }
  });

  it('cannot get in where it was not let in', async () => {
    const { mounts } = await panel();
    const { mount } = await mounts.mount(order('latest'));
    execFileSync('chmod', ['755', place.directory]);
    expect(statSync(base).mode & 0o777).toBe(0o700);
    const { status } = spawnSync('setpriv', ['--reuid', `${NOBODY}`, '--clear-groups', 'ls', mount.directory]);
    expect(status).not.toBe(0);
  });
});

describe.runIf(isRoot)('what must not be', () => {
  it('is a mount outside of the place for mounts, whatever archives and repositories are called', async () => {
    const { mounts } = await panel();
    for (const repository of ['../main', 'main/../main', '', '.', 'absent', 'main\n']) {
      await expect(mounts.mount({ ...order('latest'), repository })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    for (const archive of ['../../etc', '/etc', '..', '--all', '\0']) {
      await expect(mounts.mount(order(archive))).rejects.toMatchObject({ code: 'ARCHIVE_MISSING' });
    }
    const [{ id = '' } = {}] = JSON.parse(cairn('list', '--json')) as { id: string }[];
    const free = (): boolean => false;
    for (const name of [
      '..',
      '.',
      'a/b',
      '../../etc/x',
      '_all',
      '-x',
      '.hidden',
      'a\nb',
      'x'.repeat(300),
      '\u{1f4a3}',
    ]) {
      expect(mountDirectory(base, 'main', { id, name }, free)).toBe(`${base}/main/${id}`);
    }
    expect(mountDirectory(base, 'main', { id, name: 'home-1' }, () => true)).toBe(
      `${base}/main/home-1~${id.slice(0, 8)}`,
    );
    expect(mountedThere()).toEqual([]);
  });

  it('is a mount through a link, or over something', async () => {
    const { mounts, records } = await panel();
    mkdirSync(base);
    mkdirSync(place.path('elsewhere'));
    symlinkSync(place.path('elsewhere'), `${base}/main`);
    const refused = { code: 'MOUNT_FAILED', message: expect.stringContaining('it is no directory') as string };
    await expect(mounts.mount(order('latest'))).rejects.toMatchObject(refused);
    execFileSync('rm', [`${base}/main`]);
    mkdirSync(`${base}/main/_all`, { recursive: true });
    writeFileSync(`${base}/main/_all/mine`, 'do not hide');
    await expect(mounts.mount(order())).rejects.toMatchObject({
      code: 'MOUNT_FAILED',
      message: expect.stringContaining('something is in it') as string,
    });
    expect([
      records.all(),
      readdirSync(place.path('elsewhere')),
      readFileSync(`${base}/main/_all/mine`, 'utf8'),
    ]).toEqual([[], [], 'do not hide']);
  });

  it('is more of them than a machine can bear', async () => {
    const { mounts, records } = await panel();
    for (let i = 0; i < PANEL.mounts; i++) {
      const directory = `${base}/main/${i}`;
      const archive = { id: `${i}`.padStart(32, '0'), name: `${i}` };
      records.put({
        id: mountId(directory),
        repository: 'main',
        archive,
        directory,
        account: 'ada',
        sinceMs: i,
        isBeginning: true,
      });
    }
    // Commands that are at it, as far as one can see from outside.
    const commands = records.all().map(({ directory }) => spawn('sh', ['-c', 'read -r line', 'mount', directory]));
    await Promise.all(commands.map(async (command) => await once(command, 'spawn')));
    await expect(mounts.mount(order('latest'))).rejects.toMatchObject({ code: 'MOUNT_BUSY' });
    for (const command of commands) command.kill();
    await Promise.all(commands.map(async (command) => await once(command, 'exit')));
    expect((await mounts.mount(order('latest'))).isNew).toBe(true);
  });

  it('is a trace of one that failed', async () => {
    const { mounts, records } = await panel();
    const { repository, ...rest } = order('latest');
    // A key for writing alone opens no archive; the command says so, and the panel says what it said.
    cairn('key', 'issue', '--rights', 'write', '--output', place.path('write.key'));
    const other = await panel({ keyFile: place.path('write.key') });
    await expect(other.mounts.mount({ repository, ...rest })).rejects.toMatchObject({ code: 'RIGHT_MISSING' });
    expect([records.all(), mountedThere(), existsSync(base) ? readdirSync(`${base}/main`) : []]).toEqual([[], [], []]);
    expect(await mounts.list()).toEqual([]);
  });

  it('is one for ever that was never finished: a panel that was killed meanwhile', async () => {
    const { records, mounts } = await panel();
    const directory = `${base}/main/half`;
    const archive = { id: '0'.repeat(32), name: 'half' };
    const record = { id: mountId(directory), repository: 'main', archive, directory, account: 'ada', sinceMs: 1 };
    // A command that is still at it, as far as one can see from outside.
    const command = spawn('sh', ['-c', 'read -r line', 'mount', directory]);
    await once(command, 'spawn');
    records.put({ ...record, isBeginning: true });
    expect(await mounts.list()).toMatchObject([{ state: 'beginning' }]);
    await expect(mounts.unmount(record.id, { lazy: false })).rejects.toMatchObject({ code: 'MOUNT_BUSY' });
    command.kill();
    await once(command, 'exit');
    expect([await mounts.list(), records.all()]).toEqual([[], []]);
  });
});
