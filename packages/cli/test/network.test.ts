import { spawnBound } from '@cairn/core/testing';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';

import { listenWith, makeCertificate } from '../../repo-server/test/support/certificate.ts';
import { MAIN, Workplace } from './support/cairn.ts';
import { Link } from './support/link.ts';

const SERVER = fileURLToPath(new URL('../../repo-server/dist/main.js', import.meta.url));
const PORT = 8390;
const FILES = 6;
const FILE_BYTES = 500_000;

const place = new Workplace();
let link: Link | undefined;
/** Why this machine has no such network. */
let lacking: string | undefined;
let server: ChildProcess | undefined;
let env: Record<string, string>;
let rounds = 0;

/**
 * The command at one end of a wire, the server at the other, each in a network namespace of its own: packets are delayed and lost, and
 * the wire is cut, below the kernel's own TCP.
 */
beforeAll(async () => {
  try {
    link = await Link.start();
  } catch (error) {
    lacking = `no network namespaces here: ${error instanceof Error ? error.message : String(error)}`;
    return;
  }
  mkdirSync(place.path('tls'));
  const { files, certificate } = makeCertificate(place.path('tls'));
  const config = place.file(
    'server.toml',
    [
      `state = "${place.path('state')}"`,
      `[listen]\n${listenWith(files, `${Link.far}:${PORT}`)}`,
      `[repositories.main]\npath = "${place.path('main')}"\nreserve = "1 MB"`,
    ].join('\n'),
  );
  const manage = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [SERVER, ...args, '--config', config], { encoding: 'utf8' });
  manage('create', '--repo', 'main');
  const [program = '', ...prefix] = link.at('far');
  const running = spawnBound(program, [...prefix, process.execPath, SERVER, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  server = running;
  await new Promise<void>((resolve, reject) => {
    let said = '';
    running.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('"serving"')) resolve();
    });
    running.once('exit', () => reject(new Error(said)));
  });
  env = {
    CAIRN_REPOSITORY: `https://${Link.far}:${PORT}`,
    CAIRN_CREDENTIALS_FILE: place.file('token', manage('client', 'add', 'all', '--repo', 'main', '--role', 'maintain')),
    CAIRN_SERVER_FINGERPRINT: new X509Certificate(certificate).fingerprint256,
    CAIRN_KEY_FILE: place.path('root.key'),
  };
  place.good(['init', '--key-file', place.path('root.key')], { env, prefix: link.at('near') });
});
afterEach(() => link?.change({ delay_ms: 0, loss: 0, cut: false }));
afterAll(async () => {
  server?.kill();
  await link?.[Symbol.asyncDispose]();
  place.remove();
});

/** Files that nobody has, in a directory of their own. */
function writeSource(): string {
  rounds += 1;
  for (let number = 0; number < FILES; number += 1) {
    place.file(`source-${rounds}/file-${number}`, randomBytes(FILE_BYTES));
  }
  return place.path(`source-${rounds}`);
}

function contentsOf(directory: string): string[] {
  return readdirSync(directory)
    .toSorted()
    .map(
      (name) =>
        `${name} ${createHash('sha256')
          .update(readFileSync(`${directory}/${name}`))
          .digest('hex')}`,
    );
}

/** Restores the newest archive, and says whether it is what was backed up. */
function expectRestored(source: string, wire: Link): void {
  const target = place.path(`restored-${rounds}`);
  place.good(['restore', 'latest', '--to', target], { env, prefix: wire.at('near') });
  expect(contentsOf(`${target}${source}`)).toEqual(contentsOf(source));
}

/** Backs up from the near end while this goes on; resolves with the status and what was said. */
async function backUp(source: string, wire: Link): Promise<{ status: unknown; said: string }> {
  const [program = '', ...prefix] = wire.at('near');
  const args = [...prefix, process.execPath, MAIN, 'backup', source];
  const child = spawn(program, args, { env: place.environment(env), stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const [status] = (await once(child, 'exit')) as [unknown];
  return { status, said };
}

/** Bytes that lie in the repository, half-way uploads included. */
function storedBytes(): number {
  return Number(execFileSync('du', ['-sb', place.path('main')], { encoding: 'utf8' }).split('\t')[0]);
}

it('backs up and restores over a wire that is long and loses packets', ({ skip }) => {
  if (link === undefined) return skip(lacking);
  link.change({ delay_ms: 25, loss: 0.02 });
  const source = writeSource();
  place.good(['backup', source], { env, prefix: link.at('near') });
  expectRestored(source, link);
});

it('goes on when a wire that was cut in the middle of a backup is mended', async ({ skip }) => {
  if (link === undefined) return skip(lacking);
  link.change({ delay_ms: 40 });
  const source = writeSource();
  const before = storedBytes();
  const backup = backUp(source, link);
  await expect.poll(() => storedBytes() - before, { timeout: 10_000, interval: 5 }).toBeGreaterThan(FILE_BYTES);
  link.change({ cut: true });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  link.change({ cut: false });
  expect(await backup).toMatchObject({ status: 0 });
  expectRestored(source, link);
});
