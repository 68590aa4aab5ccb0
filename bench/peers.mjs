// @ts-check
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './options.mjs';
import { borg, cairn, restic } from './tools.mjs';

/** @typedef {import('./tools.mjs').Program} Program */

/**
 * The programs to compare: Cairn, and the installed peers or (with PEERS=newer) those of a system unpacked in PEERS_DIR.
 * @param {NodeJS.ProcessEnv} environment
 * @returns {{ programs: Program[], peers: string, root: string | undefined }}
 */
export function choosePrograms(environment) {
  const kind = environment['PEERS'] ?? 'installed';
  if (kind !== 'installed' && kind !== 'newer')
    throw new UsageError(`PEERS is ${kind}, but can only be installed or newer`);
  const directory = environment['PEERS_DIR'];
  if (kind === 'newer' && directory === undefined)
    throw new UsageError('PEERS=newer needs PEERS_DIR, where they are unpacked');
  const root = kind === 'newer' && directory !== undefined ? path.resolve(directory) : undefined;
  const encryption = environment['BORG_ENCRYPTION'] ?? fastestBorgEncryption();
  return {
    programs: [
      borg({ root, encryption }),
      borg({ root, encryption, compression: 'zstd,3' }),
      restic(root === undefined ? 'restic' : path.join(root, 'usr/bin/restic')),
      cairn(),
    ],
    peers: kind,
    root,
  };
}

/** @returns {string} the authenticated mode that Borg's manual calls the faster one for this processor */
function fastestBorgEncryption() {
  // x86 lists the SHA-256 instructions as sha_ni, 64-bit ARM as sha2.
  const hasSha = /\b(?:sha_ni|sha2)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
  return hasSha ? 'repokey' : 'repokey-blake2';
}

/**
 * Makes a directory visible under its own path inside another root, while `work` runs.
 * @template T
 * @param {string | undefined} root nothing is mounted when undefined
 * @param {string} directory absolute
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withMounted(root, directory, work) {
  if (root === undefined) return work();
  const inside = path.join(root, directory);
  mkdirSync(inside, { recursive: true });
  run('mount', ['--bind', directory, inside]);
  // Ctrl-C ends the program under measurement, whose failure then ends `work`; without this it would end us first.
  const wait = () => console.error('bench: interrupted, unmounting');
  process.on('SIGINT', wait);
  try {
    return await work();
  } finally {
    process.off('SIGINT', wait);
    run('umount', [inside]);
  }
}

/** @param {string} program @param {string[]} args */
function run(program, args) {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${done.stderr}`);
}
