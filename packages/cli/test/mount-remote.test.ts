import { DirectoryStore } from '@cairn/core';
import { freePort } from '@cairn/core/testing';
import { execFileSync, spawn } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { listenWith, makeCertificate } from '../../repo-server/test/support/certificate.ts';
import { ServerProcess } from '../../repo-server/test/support/server-process.ts';
import { SERVER_COMMAND, Sshd } from '../../repo-server/test/support/sshd.ts';
import { Workplace } from './support/cairn.ts';
import { Mounted, sh, until } from './support/mounted.ts';

/** Seconds that a server is away. The very minute of the default patience, and more, takes CAIRN_OUTAGE_SECONDS=60. */
const OUTAGE_S = Number(process.env['CAIRN_OUTAGE_SECONDS'] ?? 3);

const SERVER = fileURLToPath(new URL('../../repo-server/dist/main.js', import.meta.url));

/** A server that a repository is on, and that can go away. */
interface Remote extends AsyncDisposable {
  /** Options of every command for this repository. */
  readonly env: Record<string, string>;
  cut(): Promise<void>;
  comeBack(): Promise<void>;
}

let place: Workplace;
let source: string;

/** Bytes that no compression makes small, different for each name. */
function noise(name: string, length: number): Buffer {
  const key = createHash('sha256').update(name).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** A repository server on a port of its own, over TLS. */
async function overHttps(): Promise<Remote> {
  const port = await freePort();
  mkdirSync(place.path('tls'));
  const { files } = makeCertificate(place.path('tls'));
  const config = place.file(
    'server.toml',
    [
      `state = "${place.path('state')}"`,
      `[listen]\n${listenWith(files, `127.0.0.1:${port}`)}`,
      `[repositories.main]\npath = "${place.path('main')}"\nreserve = "1 MB"`,
    ].join('\n'),
  );
  const server = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [SERVER, ...args, '--config', config], { encoding: 'utf8' });
  server('create', '--repo', 'main');
  const token = place.file('token', server('client', 'add', 'host', '--repo', 'main', '--role', 'maintain'));
  let running = await ServerProcess.start(config);
  const cut = async (): Promise<void> => await running.end('SIGKILL');
  const env = {
    CAIRN_REPOSITORY: `https://127.0.0.1:${port}`,
    CAIRN_CREDENTIALS_FILE: token,
    CAIRN_CA_FILE: files.ca,
  };
  return {
    env,
    cut,
    comeBack: async () => void (running = await ServerProcess.start(config)),
    [Symbol.asyncDispose]: cut,
  };
}

/** The same repository server on the stdio of a forced command of OpenSSH's sshd. */
async function overSsh(): Promise<Remote> {
  const sshd = await Sshd.start();
  const publicKey = readFileSync(`${sshd.key('own')}.pub`, 'utf8');
  sshd.authorize(`command="${SERVER_COMMAND} serve --stdio --path ${place.path('main')}",restrict ${publicKey}`);
  await DirectoryStore.create(place.path('main'));
  const env = { CAIRN_REPOSITORY: sshd.address, CAIRN_SSH_OPTIONS: sshd.options('own').join(' ') };
  return {
    env,
    cut: async () => await sshd.cut(),
    comeBack: async () => await sshd.run(),
    [Symbol.asyncDispose]: async () => await sshd[Symbol.asyncDispose](),
  };
}

/** Reads a file of a mount to its end, in a program of its own. */
function reading(path: string): { readonly done: Promise<{ status: number | null; text: string; bytes: Buffer }> } {
  const child = spawn('cat', [path], { env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' } });
  const parts: Buffer[] = [];
  let text = '';
  child.stdout.on('data', (part: Buffer) => parts.push(part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  const done = once(child, 'close').then(([status]: (number | null)[]) => {
    return { status: status ?? null, text, bytes: Buffer.concat(parts) };
  });
  return { done };
}

beforeEach(() => {
  place = new Workplace();
  source = place.path('source');
  mkdirSync(source);
  for (const name of ['a', 'b', 'c']) writeFileSync(`${source}/${name}`, noise(name, 3_000_000));
});

afterEach(() => place.remove());

const REMOTES = { https: overHttps, ssh: overSsh };

describe.runIf(process.geteuid?.() === 0).each(['https', 'ssh'] as const)('a mount over %s', (carrier) => {
  /** A repository on the server with an archive of the source. */
  async function filled(): Promise<Remote> {
    const remote = await REMOTES[carrier]();
    place.good(['init', '--key-file', place.path('root.key')], { env: remote.env });
    place.good(['backup', source], { env: { ...remote.env, CAIRN_KEY_FILE: place.path('root.key') } });
    return remote;
  }

  const start = async (remote: Remote, args: readonly string[]): Promise<Mounted> =>
    await Mounted.start(place, 'mnt', ['--key-file', place.path('root.key'), ...args], [], remote.env);

  it('reads what is there, and unmounts', async () => {
    await using remote = await filled();
    await using mounted = await start(remote, ['latest']);
    for (const name of ['a', 'b', 'c'])
      expect(sh('cmp', [`${mounted.directory}${source}/${name}`, `${source}/${name}`])).toBe('');
    place.good(['umount', mounted.directory]);
    expect(await mounted.exit()).toBe(0);
  });

  it('fetches what many small files are in, and reads the rest of them without the server', async () => {
    await using remote = await filled();
    const many = place.path('many');
    const cache = place.path('packs-here');
    mkdirSync(many);
    const names = Array.from({ length: 300 }, (_, i) => `file-${String(i).padStart(3, '0')}`);
    for (const name of names) writeFileSync(`${many}/${name}`, noise(name, 40_000));
    const env = { ...remote.env, CAIRN_KEY_FILE: place.path('root.key') };
    // One pack, which is too large to be kept in memory.
    place.good(['backup', '--threads', '0', many], { env });
    const withCache = { ...remote, env: { ...remote.env, CAIRN_CACHE_DIRECTORY: cache } };
    await using mounted = await start(withCache, ['latest']);
    const root = `${mounted.directory}${many}`;
    mkdirSync(cache);
    const directories = (): string[] => readdirSync(cache).filter((name) => name.startsWith('packs-'));
    const packs = (): string[] =>
      directories().flatMap((name) => readdirSync(`${cache}/${name}`).map((pack) => `${cache}/${name}/${pack}`));
    for (const name of names.slice(0, 20))
      expect(readFileSync(`${root}/${name}`).equals(noise(name, 40_000))).toBe(true);
    await until('the pack', () => packs().some((file) => statSync(file).size > 12_000_000));
    sh('ls', ['-l', root]);
    await remote.cut();
    for (const name of names) expect(readFileSync(`${root}/${name}`).equals(noise(name, 40_000))).toBe(true);
    await remote.comeBack();
    place.good(['umount', mounted.directory]);
    expect(await mounted.exit()).toBe(0);
    expect(directories()).toEqual([]);
  });

  it(
    `waits for a server that is away for ${OUTAGE_S} seconds, and reads on`,
    async () => {
      await using remote = await filled();
      // Two minutes of patience, as without an option.
      await using mounted = await start(remote, ['latest']);
      const root = `${mounted.directory}${source}`;
      sh('ls', ['-l', root]);
      await remote.cut();
      const { done } = reading(`${root}/a`);
      await until('the outage to be noticed', () => mounted.text.includes('waiting for it'));
      // Longer than the pauses between the first attempts.
      await setTimeout(OUTAGE_S * 1000);
      await remote.comeBack();
      const { status, bytes, text } = await done;
      expect([status, text, bytes.equals(noise('a', 3_000_000))]).toEqual([0, '', true]);
      await until('the end of the outage to be told', () => mounted.text.includes('answers again'));
      expect(mounted.text).not.toContain('a in ');
    },
    60_000 + OUTAGE_S * 1000,
  );

  it('fails in the time that was given when the server stays away, and says which file and why', async () => {
    await using remote = await filled();
    await using mounted = await start(remote, ['latest', '--wait', '4']);
    const root = `${mounted.directory}${source}`;
    sh('ls', ['-l', root]);
    await remote.cut();
    const beganMs = performance.now();
    const { status, text } = await reading(`${root}/b`).done;
    const seconds = (performance.now() - beganMs) / 1000;
    expect([status, text]).toEqual([1, expect.stringContaining('Input/output error')]);
    expect(seconds).toBeGreaterThan(3.9);
    expect(seconds).toBeLessThan(8);
    await until('the line', () => mounted.text.includes(`${source}/b in `));
    expect(mounted.text).toMatch(new RegExp(`${source}/b in .*: .*(?:refused|connection|connect)`));
    // What is known needs no server; and once it is back, so is the file.
    expect(statSync(`${root}/b`).size).toBe(3_000_000);
    await remote.comeBack();
    expect(sh('cmp', [`${root}/b`, `${source}/b`])).toBe('');
  });

  it('is gone at once when it is unmounted while the server is away', async () => {
    await using remote = await filled();
    await using mounted = await start(remote, ['latest', '--wait', '600']);
    await remote.cut();
    const beganMs = performance.now();
    place.good(['umount', mounted.directory]);
    expect(await mounted.exit()).toBe(0);
    expect(performance.now() - beganMs).toBeLessThan(15_000);
    expect(mounted.text).toContain('a pin stays until it ends by itself');
  });
});
