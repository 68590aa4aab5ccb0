// @ts-check
/**
 * Over the network: a first backup and a restore of one tree by ssh to this very machine, beside borg over ssh and restic over sftp.
 *
 *     node bench/remote.mjs DIRECTORY [--delay MILLISECONDS] [--runs N] [--only NAME]
 *
 * With a delay all go through a proxy that holds every byte back for so long, each way: the kernel's own emulation takes a module that many
 * machines lack.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { startSshd } from './sshd.mjs';

const PROXY = fileURLToPath(new URL('delay-proxy.mjs', import.meta.url));
const MAIN = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
const PASSPHRASE = 'bench';

/** @typedef {{ name: string, env: Record<string, string>, make: string[], backup: string[], restore: (target: string) => string[] }} Peer */

/** A long way to a port. @param {number} target @param {string} delay @returns {Promise<{ port: number, end: () => void }>} */
async function startProxy(target, delay) {
  const child = spawn(process.execPath, [PROXY, String(target), delay], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [text] = await once(child.stdout, 'data');
  return { port: Number(text), end: () => void child.kill() };
}

/** @param {string} place @param {string} tree @param {number} port @param {string[]} known @returns {Peer[]} */
function peersOf(place, tree, port, known) {
  const options = [...known, '-p', String(port)];
  const { username } = userInfo();
  const at = (/** @type {string} */ name) => path.join(place, name);
  const ssh = options.join(' ');
  const sftp = `sftp.command=ssh ${ssh} -l ${username} 127.0.0.1 -s sftp`;
  return [
    {
      name: 'cairn over ssh',
      env: {
        CAIRN_REPOSITORY: `ssh://${username}@127.0.0.1:${port}${at('cairn')}`,
        CAIRN_SSH_OPTIONS: ssh,
        CAIRN_KEY_FILE: at('cairn.key'),
      },
      make: ['node', MAIN, 'init'],
      backup: ['node', MAIN, 'backup', tree],
      restore: (target) => ['node', MAIN, 'restore', 'latest', '--to', target],
    },
    {
      name: 'borg over ssh',
      env: {
        BORG_REPO: `ssh://${username}@127.0.0.1:${port}${at('borg')}`,
        BORG_RSH: `ssh ${ssh}`,
        BORG_PASSPHRASE: PASSPHRASE,
      },
      make: ['borg', 'init', '--encryption=repokey-blake2'],
      backup: ['borg', 'create', '--compression', 'zstd,3', '::first', tree],
      restore: () => ['borg', 'extract', '::first'],
    },
    {
      name: 'restic over sftp',
      env: { RESTIC_REPOSITORY: `sftp:${username}@127.0.0.1:${at('restic')}`, RESTIC_PASSWORD: PASSPHRASE },
      make: ['restic', '-o', sftp, 'init'],
      backup: ['restic', '-o', sftp, 'backup', tree],
      restore: (target) => ['restic', '-o', sftp, 'restore', 'latest', '--target', target],
    },
  ];
}

/** Seconds that a command takes. @param {string[]} command @param {Record<string, string>} env @param {string} cwd */
function timed([program = '', ...args], env, cwd) {
  const start = performance.now();
  const { status, stderr } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} exited with ${status}: ${stderr}`);
  return (performance.now() - start) / 1000;
}

/** @param {readonly number[]} values */
function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { delay: { type: 'string' }, runs: { type: 'string', default: '1' }, only: { type: 'string' } },
  });
  const [tree] = positionals;
  if (tree === undefined) throw new Error('name a directory to back up');
  const place = mkdtempSync(path.join(tmpdir(), 'cairn-remote-'));
  // Whoever is first would read from the disk, and the others from memory.
  spawnSync('sh', ['-c', 'find "$0" -type f -print0 | xargs -0 cat >/dev/null', tree], { stdio: 'ignore' });
  const sshd = await startSshd(place);
  const proxy = values.delay === undefined ? undefined : await startProxy(sshd.port, values.delay);
  const port = proxy?.port ?? sshd.port;
  try {
    const rows = new Map();
    for (let run = 0; run < Number(values.runs); run += 1) {
      const round = path.join(place, `run-${run}`);
      mkdirSync(round);
      // Nothing is removed before the end: ext4 takes three times as long to make files within minutes after others were removed,
      // because it passes over the inodes of those, one by one.
      for (const { env, ...peer } of peersOf(round, path.resolve(tree), port, sshd.options)) {
        if (values.only !== undefined && !peer.name.startsWith(values.only)) continue;
        const own = { HOME: round, ...env };
        timed(peer.make, own, round);
        const target = path.join(round, `target of ${peer.name}`);
        mkdirSync(target);
        const backup = timed(peer.backup, own, round);
        const restore = timed(peer.restore(target), own, target);
        rows.set(peer.name, [...(rows.get(peer.name) ?? []), { backup, restore }]);
      }
    }
    console.log(
      `first backup and restore of ${tree}, seconds${values.delay === undefined ? '' : `, ${values.delay} ms each way`}`,
    );
    for (const [name, times] of rows) {
      const of = (/** @type {'backup' | 'restore'} */ what) => median(times.map((/** @type {any} */ one) => one[what]));
      console.log(`${name.padEnd(18)} ${of('backup').toFixed(2).padStart(8)} ${of('restore').toFixed(2).padStart(8)}`);
    }
  } finally {
    proxy?.end();
    await sshd.end();
    rmSync(place, { recursive: true, force: true });
  }
}

await main();
