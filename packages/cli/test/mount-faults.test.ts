import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Workplace } from './support/cairn.ts';
import { isMounted, Mounted, sh, until } from './support/mounted.ts';

let place: Workplace;
let repo: readonly string[];
let source: string;

/** Bytes that no compression makes small, different for each name. */
function noise(name: string, length: number): Buffer {
  const key = createHash('sha256').update(name).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

beforeEach(() => {
  place = new Workplace();
  repo = ['-r', place.path('repo')];
  source = place.path('source');
  mkdirSync(source);
  for (const name of ['a', 'b', 'c']) writeFileSync(`${source}/${name}`, noise(name, 400_000));
  place.good(['init', ...repo]);
  place.good(['backup', ...repo, source]);
});

afterEach(() => place.remove());

/** A program that reads a file of the mount to its end. */
function reading(path: string): {
  readonly child: ChildProcess;
  readonly done: Promise<number | NodeJS.Signals | null>;
} {
  const child = spawn('cat', [path], { stdio: ['ignore', 'ignore', 'ignore'] });
  const done = async (): Promise<number | NodeJS.Signals | null> => {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return signal ?? status;
  };
  return { child, done: done() };
}

const cat = (path: string): { status: number | null; text: string } => {
  const { status, stderr } = spawnSync('cat', [path], {
    encoding: 'utf8',
    env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' },
  });
  return { status, text: stderr };
};

describe.runIf(process.geteuid?.() === 0)('damage', () => {
  it('is an error of input and output, with a line that names file and object, and never zeros', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    const root = `${mounted.directory}${source}`;
    sh('ls', ['-l', root]);
    const packs = sh('find', [place.path('repo/packs'), '-type', 'f', '-size', '+500k'])
      .trim()
      .split('\n');
    for (const pack of packs) {
      const bytes = readFileSync(pack);
      for (let at = 1000; at < bytes.length; at += 50_000) bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(pack, bytes);
    }
    const { status, text } = cat(`${root}/b`);
    expect([status, text]).toEqual([1, expect.stringContaining('Input/output error')]);
    await until('the line', () => mounted.text.includes(`${source}/b in `));
    expect(mounted.text).toMatch(new RegExp(`${source}/b in .*: chunk [0-9a-f]{16} is damaged.*packs/[0-9a-f]{64}`));
    expect(sh('ls', [root])).toBe('a\nb\nc\n');
  });
});

describe.runIf(process.geteuid?.() === 0)('a repository that is away', () => {
  it('is waited for, and read on when it is back', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    const root = `${mounted.directory}${source}`;
    renameSync(place.path('repo'), place.path('away'));
    const { done } = reading(`${root}/a`);
    await until('the outage to be noticed', () => mounted.text.includes('waiting for it'));
    renameSync(place.path('away'), place.path('repo'));
    expect(await done).toBe(0);
    await until('the end of the outage to be told', () => mounted.text.includes('answers again'));
    expect(readFileSync(`${source}/a`).equals(Buffer.from(sh('cat', [`${root}/a`]), 'latin1'))).toBe(true);
  });

  it('is an error after the time that was given, and not for those who are ended meanwhile', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest', '--wait', '4']);
    const root = `${mounted.directory}${source}`;
    // So that they wait for contents: of several who look up one name, the kernel lets all wait for the first.
    sh('ls', ['-l', root]);
    renameSync(place.path('repo'), place.path('away'));
    const waiting = reading(`${root}/a`);
    const ended = reading(`${root}/b`);
    await until('the outage to be noticed', () => mounted.text.includes('waiting for it'));
    ended.child.kill('SIGKILL');
    expect(await ended.done).toBe('SIGKILL');
    // The other one still waits.
    expect(waiting.child.exitCode).toBeNull();
    expect(await waiting.done).toBe(1);
    renameSync(place.path('away'), place.path('repo'));
    expect(cat(`${root}/a`).status).toBe(0);
  });
});

describe.runIf(process.geteuid?.() === 0)('the end of a mount', () => {
  it('that is killed leaves nobody hanging, and umount or the next mount clears what is left', async () => {
    for (const clear of ['umount', 'mount'] as const) {
      await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
      renameSync(place.path('repo'), place.path('away'));
      const { done } = reading(`${mounted.directory}${source}/a`);
      await until('the outage to be noticed', () => mounted.text.includes('waiting for it'));
      mounted.child.kill('SIGKILL');
      expect(await done).toBe(1);
      renameSync(place.path('away'), place.path('repo'));
      expect(() => statSync(mounted.directory)).toThrow('ENOTCONN');
      if (clear === 'umount') expect(place.json(['umount', mounted.directory])).toMatchObject({ was_dead: true });
      else {
        await using again = await Mounted.start(place, 'mnt', [...repo, 'latest']);
        expect(sh('ls', [`${again.directory}${source}`])).toBe('a\nb\nc\n');
      }
    }
  });

  it('by Ctrl-C is clean', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    sh('cat', [`${mounted.directory}${source}/a`]);
    mounted.child.kill('SIGINT');
    expect(await mounted.exit()).toBe(0);
    expect(isMounted(mounted.directory)).toBe(false);
  });

  it('waits for those who are in it, names them, and is out of sight at once when it shall be', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    const root = `${mounted.directory}${source}`;
    const holder = spawn('bash', ['-c', 'exec 7<"$1"; echo ready; read -r; sha256sum <&7', 'bash', `${root}/b`]);
    await once(holder.stdout, 'data');
    const refused = place.cairn(['umount', mounted.directory]);
    expect([refused.status, refused.stderr]).toEqual([
      44,
      expect.stringContaining(`bash (${holder.pid}) has ${root}/b`),
    ]);
    expect(place.json(['umount', '--lazy', mounted.directory])).toMatchObject({ was_dead: false });
    expect(isMounted(mounted.directory)).toBe(false);
    const summed = once(holder.stdout, 'data');
    holder.stdin.end('\n');
    const [sum] = (await summed) as [Buffer];
    expect(sum.toString().split(' ')[0]).toBe(sh('sha256sum', [`${source}/b`]).split(' ')[0]);
    expect(await mounted.exit()).toBe(0);
  });

  it('by two signals is at once, although somebody is in it', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    const holder = spawn('sleep', ['60'], { cwd: `${mounted.directory}${source}` });
    await until(
      'the program to be there',
      () => existsSync(`/proc/${holder.pid}/cwd`) && sh('readlink', [`/proc/${holder.pid}/cwd`]).includes('mnt'),
    );
    mounted.child.kill('SIGTERM');
    await until('it to be out of sight', () => !isMounted(mounted.directory));
    expect(mounted.text).toContain('is in use: sleep');
    // One that comes at the heels of the first counts as the same.
    await until('its end', () => {
      mounted.child.kill('SIGTERM');
      return mounted.child.exitCode !== null;
    });
    expect(existsSync(`/proc/${mounted.child.pid}`)).toBe(false);
    holder.kill();
  });

  it('refuses what is no mount of Cairn', () => {
    expect(place.cairn(['umount', source]).status).toBe(2);
    expect(place.cairn(['umount', '/proc']).stderr).toContain('not a mount of Cairn');
    expect(place.cairn(['mount', ...repo, 'latest', place.path('absent')]).status).toBe(43);
    expect(place.cairn(['mount', ...repo, 'nothing', source]).status).toBe(15);
    expect(isMounted(source)).toBe(false);
  });

  it('is found through a link, and what is in use is not mounted on', async () => {
    mkdirSync(place.path('real'));
    symlinkSync(place.path('real'), place.path('link'));
    const { pid } = place.json<{ pid: number }>(['mount', ...repo, 'latest', place.path('link')]);
    expect(isMounted(place.path('real'))).toBe(true);
    const again = place.cairn(['mount', ...repo, 'latest', place.path('real')]);
    expect([again.status, again.stderr]).toEqual([43, expect.stringContaining('there is a mount already')]);
    const full = place.cairn(['mount', ...repo, 'latest', source]);
    expect([full.status, full.stderr]).toEqual([43, expect.stringContaining('it is not empty')]);
    expect(readdirSync(source)).toEqual(['a', 'b', 'c']);
    place.good(['umount', place.path('link')]);
    expect(isMounted(place.path('real'))).toBe(false);
    await until('the process in the background to end', () => !existsSync(`/proc/${pid}`));
  });

  it('comes before its beginning, when the command that starts it is stopped', async () => {
    mkdirSync(place.path('mnt'));
    const command = place.start(['mount', ...repo, 'latest', place.path('mnt')]);
    const children = (): string =>
      existsSync(`/proc/${command.pid}`)
        ? readFileSync(`/proc/${command.pid}/task/${command.pid}/children`, 'utf8').trim()
        : '';
    const background = await until('the process in the background', () => children().split(' ')[0] || undefined);
    command.kill('SIGINT');
    const [status] = (await once(command, 'exit')) as [number];
    expect(status).toBe(130);
    await until('it to be gone', () => !existsSync(`/proc/${background}`));
    expect(isMounted(place.path('mnt'))).toBe(false);
  });

  it('says which log file it cannot write', () => {
    mkdirSync(place.path('mnt'));
    const { status, stderr } = place.cairn([
      'mount',
      ...repo,
      'latest',
      place.path('mnt'),
      '--log-file',
      place.path('absent/log'),
    ]);
    expect([status, stderr]).toEqual([
      42,
      expect.stringContaining(`${place.path('absent/log')} cannot be written: ENOENT`),
    ]);
  });
});

describe.runIf(process.geteuid?.() === 0)('retention', () => {
  it('does not wait for a mount, and leaves what it shows readable until it is unmounted', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest']);
    const root = `${mounted.directory}${source}`;
    place.good(['delete', ...repo, 'latest']);
    place.good(['compact', ...repo, '--grace', '0', '--max-unused', '0']);
    expect(place.json<unknown[]>(['list', ...repo])).toEqual([]);
    for (const name of ['a', 'b', 'c']) expect(sh('cmp', [`${root}/${name}`, `${source}/${name}`])).toBe('');
    expect(place.good(['log', ...repo])).toMatch(/mount .*mnt on /);
    place.good(['umount', mounted.directory]);
    expect(await mounted.exit()).toBe(0);
    place.good(['compact', ...repo, '--grace', '0', '--max-unused', '0']);
    expect(
      readdirSync(place.path('repo/packs'), { recursive: true }).filter((name) => String(name).length > 10),
    ).toEqual([]);
  });

  it('prunes and compacts while somebody reads what goes, and neither waits for the other', async () => {
    const [oldest] = place.json<{ id: string }[]>(['list', ...repo]);
    // Larger than what a mount keeps in memory, so that it goes back to the repository all the time.
    const large = noise('large', 16_000_000);
    for (const [name, content] of [
      ['large', large],
      ['a', noise('another a', 400_000)],
    ] as const) {
      writeFileSync(`${source}/${name}`, content);
      place.good(['backup', ...repo, source]);
    }
    const [, middle] = place.json<{ id: string }[]>(['list', ...repo]);
    for (const name of ['large', 'a']) rmSync(`${source}/${name}`);
    place.good(['backup', ...repo, source]);
    await using mounted = await Mounted.start(place, 'mnt', [...repo, middle?.id ?? '']);
    const root = `${mounted.directory}${source}`;
    // `nocache`: what was read is dropped by the kernel, and asked for again.
    const script = 'while dd if="$1" iflag=nocache bs=1M status=none | sha256sum; do :; done';
    const reader = spawn('bash', ['-o', 'pipefail', '-c', script, 'bash', `${root}/large`]);
    let sums = '';
    reader.stdout.setEncoding('utf8').on('data', (text: string) => (sums += text));
    const lines = (): string[] => sums.split('\n').slice(0, -1);
    const linesAfter = async (count: number): Promise<string> =>
      await until('the reader to come round again', () => (lines().length > count ? 'yes' : undefined));
    await linesAfter(0);
    place.good(['prune', ...repo, '--keep-last', '1', '--max-share', '100']);
    await linesAfter(lines().length + 1);
    place.good(['compact', ...repo, '--grace', '0', '--max-unused', '0']);
    await linesAfter(lines().length + 1);
    expect(reader.exitCode).toBeNull();
    reader.kill();
    expect(place.json<unknown[]>(['list', ...repo])).toHaveLength(1);
    const sum = createHash('sha256').update(large).digest('hex');
    expect(new Set(lines())).toEqual(new Set([`${sum}  -`]));
    // What nobody has read so far: `a` is nowhere but in what was mounted and in what was deleted.
    for (const name of ['a', 'b', 'c']) {
      const content = readFileSync(`${root}/${name}`);
      expect([name, content.equals(noise(name, 400_000))]).toEqual([name, true]);
    }
    expect(mounted.text).not.toContain('warning');
    // The other deleted archive was nobody's, and is gone.
    expect(place.cairn(['undelete', ...repo, oldest?.id ?? '']).status).toBe(15);
    place.good(['umount', mounted.directory]);
    expect(await mounted.exit()).toBe(0);
    place.good(['compact', ...repo, '--grace', '0', '--max-unused', '0']);
    const left = place.json<{ id: string }[]>(['list', ...repo, '--deleted']);
    expect(left.map(({ id }) => id)).not.toContain(middle?.id);
  });

  it('may move what a mount shows: it looks again where that is', async () => {
    // The first archive alone has `c`. When it goes, what else is in its packs is written again.
    const [first] = place.json<{ name: string }[]>(['list', ...repo]);
    rmSync(`${source}/c`);
    writeFileSync(`${source}/other`, noise('other', 400_000));
    place.good(['backup', ...repo, '--series', 'second', source]);
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'second@latest']);
    const root = `${mounted.directory}${source}`;
    sh('ls', ['-l', root]);
    const before = sh('find', [place.path('repo/packs'), '-type', 'f']);
    place.good(['delete', ...repo, first?.name ?? '']);
    place.good(['compact', ...repo, '--grace', '0', '--max-unused', '0']);
    expect(sh('find', [place.path('repo/packs'), '-type', 'f'])).not.toBe(before);
    for (const name of ['a', 'b', 'other']) expect(sh('cmp', [`${root}/${name}`, `${source}/${name}`])).toBe('');
    expect(mounted.text).not.toContain('warning');
  });

  it('without a pin writes nothing, and a read that finds nothing any more is an error', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, 'latest', '--no-pin']);
    const root = `${mounted.directory}${source}`;
    expect(readdirSync(place.path('repo/log'))).toHaveLength(1);
    sh('ls', ['-l', root]);
    place.good(['delete', ...repo, 'latest']);
    place.good(['compact', ...repo, '--grace', '0']);
    expect(cat(`${root}/a`)).toEqual({ status: 1, text: expect.stringContaining('Input/output error') });
  });

  it('shows new archives in a mounted repository', async () => {
    await using mounted = await Mounted.start(place, 'mnt', [...repo, '--all']);
    const [series = ''] = readdirSync(mounted.directory);
    const shown = readdirSync(`${mounted.directory}/${series}`);
    expect(shown).toEqual(['latest', expect.stringMatching(/Z$/)]);
    writeFileSync(`${source}/new`, 'new');
    place.good(['backup', ...repo, source]);
    await until('the new archive', () => readdirSync(`${mounted.directory}/${series}`).length === 3);
    expect(readFileSync(`${mounted.directory}/${series}/latest${source}/new`, 'utf8')).toBe('new');
    expect(existsSync(`${mounted.directory}/${series}/${shown[1]}${source}/new`)).toBe(false);
  });
});
