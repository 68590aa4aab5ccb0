#!/usr/bin/env node
// @ts-check
/**
 * Compares checking and copying with the installed peers, on the same data in one run: a check of the structure, of all data and
 * of a share of it, a copy into a repository with other keys, and the same copy again.
 *
 *   node bench/check-copy.mjs [--mib N] [--files N] [--rounds N]
 *
 * Prints seconds and peak memory of each, the median over the rounds. Needs room for six times the data in TMPDIR. Programs that
 * are not installed are left out. Borg has no check of a share and no copy into another repository.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './measure.mjs';

/** @typedef {import('./measure.mjs').Command} Command */
/** @typedef {import('./measure.mjs').Measurement} Measurement */

const OPERATIONS = /** @type {const} */ (['check', 'check-data', 'check-share', 'copy', 'copy-again']);
/** @typedef {typeof OPERATIONS[number]} Operation */
/** @typedef {{ label: string, prepare: Command[], command: (operation: Operation) => Command | undefined }} Program */

const SHARE_PERCENT = 10;

/** @param {string} directory @param {number} mib @param {number} files */
function makeSource(directory, mib, files) {
  mkdirSync(directory, { recursive: true });
  // Half of it in one file, half in many; random, so that programs compare by what they read and not by what they compress.
  const half = (mib * 1024 * 1024) / 2;
  const fill = spawnSync('sh', ['-c', `head -c ${half} /dev/urandom > large`], { cwd: directory });
  if (fill.status !== 0) throw new Error('cannot write the large file');
  const bytes = Math.max(1, Math.floor(half / files));
  for (let i = 0; i < files; i++) {
    if (i % 1000 === 0) mkdirSync(path.join(directory, `${i}`));
    const at = path.join(directory, `${i - (i % 1000)}`, `${i}`);
    writeFileSync(at, crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536))));
  }
}

/** @param {string} state @returns {Record<string, string>} */
const environment = (state) => ({ PATH: process.env['PATH'] ?? '', HOME: state, LANG: 'C.UTF-8', TZ: 'UTC' });

/** @param {string} directory @param {string} source @returns {Program} */
function cairn(directory, source) {
  const main = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
  const [from, to] = ['from', 'to'].map((name) => path.join(directory, name));
  /** @param {string | undefined} at @param {string[]} args @returns {Command} */
  const run = (at, ...args) => ({
    argv: [process.execPath, main, '-r', at ?? '', '--key-file', `${at}.key`, ...args],
    env: environment(directory),
  });
  const copy = run(from, 'copy', '--to', to ?? '', '--to-key-file', `${to}.key`);
  return {
    label: 'Cairn',
    prepare: [run(from, 'init'), run(to, 'init'), run(from, 'backup', source)],
    command: (operation) =>
      ({
        check: run(from, 'check'),
        'check-data': run(from, 'check', '--data'),
        'check-share': run(from, 'check', '--data-share', `${SHARE_PERCENT}%`),
        copy,
        'copy-again': copy,
      })[operation],
  };
}

/** @param {string} directory @param {string} source @returns {Program} */
function restic(directory, source) {
  const [from, to] = ['from', 'to'].map((name) => path.join(directory, name));
  /** @param {string | undefined} at @param {string[]} args @returns {Command} */
  const run = (at, ...args) => ({
    argv: ['restic', '-r', at ?? '', ...args],
    env: { ...environment(directory), RESTIC_PASSWORD: 'bench', RESTIC_FROM_PASSWORD: 'bench' },
  });
  const copy = run(to, 'copy', '--from-repo', from ?? '');
  return {
    label: 'restic',
    prepare: [run(from, 'init'), run(to, 'init'), run(from, 'backup', source)],
    command: (operation) =>
      ({
        check: run(from, 'check'),
        'check-data': run(from, 'check', '--read-data'),
        'check-share': run(from, 'check', `--read-data-subset=${SHARE_PERCENT}%`),
        copy,
        'copy-again': copy,
      })[operation],
  };
}

/** @param {string} directory @param {string} source @returns {Program} */
function borg(directory, source) {
  const at = path.join(directory, 'from');
  /** @param {string[]} args @returns {Command} */
  const run = (...args) => ({
    argv: ['borg', ...args],
    env: { ...environment(directory), BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: directory },
  });
  /** @type {Partial<Record<Operation, Command>>} */
  const commands = { check: run('check', at), 'check-data': run('check', '--verify-data', at) };
  return {
    label: 'borg',
    prepare: [run('init', '--encryption', 'repokey', at), run('create', `${at}::bench`, source)],
    command: (operation) => commands[operation],
  };
}

/** @param {number[]} values */
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '512' },
    files: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
  },
});
const work = mkdtempSync(path.join(tmpdir(), 'cairn-bench-'));
try {
  const source = path.join(work, 'source');
  makeSource(source, Number(values.mib), Number(values.files));
  /** @type {Map<string, Measurement[]>} */
  const measured = new Map();
  const programs = [
    { make: cairn, installed: true },
    { make: restic, installed: spawnSync('restic', ['version']).status === 0 },
    { make: borg, installed: spawnSync('borg', ['--version']).status === 0 },
  ].filter(({ installed }) => installed);
  for (let round = 1; round <= Number(values.rounds); round++) {
    for (const { make } of programs) {
      const directory = path.join(work, make.name);
      mkdirSync(directory);
      const { label, prepare, command } = make(directory, source);
      for (const step of prepare) measure(step, directory);
      for (const operation of OPERATIONS) {
        const job = command(operation);
        if (job === undefined) continue;
        const key = `${operation.padEnd(12)} ${label.padEnd(8)}`;
        measured.set(key, [...(measured.get(key) ?? []), measure(job, directory)]);
      }
      rmSync(directory, { recursive: true });
    }
  }
  for (const [key, rounds] of [...measured].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const wall = median(rounds.map((one) => one.wall)).toFixed(2);
    const cpu = median(rounds.map(({ user, sys }) => user + sys)).toFixed(2);
    const memory = Math.round(median(rounds.map(({ rss }) => rss)) / 1e6);
    console.log(`${key} ${wall.padStart(8)} s ${cpu.padStart(8)} s CPU ${String(memory).padStart(6)} MB`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
