#!/usr/bin/env node
// @ts-check
/**
 * Reading through a mount: Cairn, borg and restic on the same data in one run.
 *
 *     node bench/mount.mjs [--ssh] [--scale 0.05] [--directory DIR] [--rounds 3] [--row NAME]... [--out FILE]
 *
 * Needs FUSE, and root to mount without more. With --ssh the same repositories are mounted through OpenSSH's server on a port of this
 * machine: Cairn and borg over ssh, restic over sftp. Repositories that are in DIR already are used again. A whole run (full size,
 * three rounds or more, all programs and rows) writes its section of bench/MOUNTS.md; any other one that of MOUNTS.md in DIR.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { describeMachine, readVersion } from './machine.mjs';
import { mountPrograms, run, sourceIn } from './mount-programs.mjs';
import { FIRST_LOOK, LOCAL, OVER_SSH, pageWith, renderMounts } from './mount-report.mjs';
import { startSshd } from './sshd.mjs';

/** @typedef {import('./mount-programs.mjs').Program} Program */

const MiB = 1024 * 1024;
const { values } = parseArgs({
  options: {
    ssh: { type: 'boolean', default: false },
    scale: { type: 'string' },
    directory: { type: 'string' },
    rounds: { type: 'string' },
    row: { type: 'string', multiple: true },
    out: { type: 'string' },
  },
});
const scale = Number(values.scale ?? '1');
const rounds = Number(values.rounds ?? '3');
const base = values.directory ?? mkdtempSync(path.join(tmpdir(), 'cairn-mount-bench-'));
const copies = path.join(base, 'copies');

/** A tree of programs and texts, and one large file, half of it random. @param {string} source */
function makeSource(source) {
  if (existsSync(source)) return;
  mkdirSync(source, { recursive: true });
  for (const folder of scale >= 0.5 ? ['/usr/share', '/usr/lib/python3'] : ['/usr/share/perl']) {
    if (existsSync(folder))
      cpSync(folder, path.join(source, path.basename(folder)), { recursive: true, verbatimSymlinks: true });
  }
  const parts = Math.max(2, Math.round(64 * scale));
  const text = Buffer.alloc(8 * MiB, 'Texts repeat themselves, programs a little, pictures never. ');
  for (let i = 0; i < parts; i++) {
    writeFileSync(path.join(source, 'large'), i % 2 === 0 ? randomBytes(8 * MiB) : text, { flag: 'a' });
  }
}

/** @param {string} pid @returns {number} MiB at most, of the process and its children */
function peakMemory(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return [pid, ...children].reduce((sum, one) => {
    const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${one}/status`, 'utf8'));
    return sum + Number(line?.[1] ?? 0) / 1024;
  }, 0);
}

const RANDOM_READS = `
import os, random, sys
random.seed(1)
fd = os.open(sys.argv[1], os.O_RDONLY)
size = os.fstat(fd).st_size
for _ in range(int(sys.argv[2])):
    os.pread(fd, 4096, random.randrange(size - 4096))
`;

/** What is read, in order; each on a mount of its own. @type {readonly { row: string, target: number, script: string }[]} */
const READS = [
  { row: 'ls -lR', target: 1, script: 'ls -lR . > /dev/null' },
  { row: 'ls -lR again', target: 1, script: 'ls -lR . > /dev/null; ls -lR . > /dev/null' },
  { row: 'find', target: 1, script: 'find . > /dev/null' },
  { row: 'the large file', target: 3, script: 'cat large > /dev/null' },
  { row: 'the large file, two readers', target: 1, script: 'cat large > /dev/null & tac large > /dev/null; wait' },
  { row: 'every other file', target: 1, script: 'find . -type f ! -name large -print0 | xargs -0 cat > /dev/null' },
  { row: 'grep -r', target: 1, script: 'grep -r --exclude=large "no such words here" . > /dev/null || true' },
  { row: 'cp -a', target: 1, script: 'cp -a $(ls -d * | grep -vx large) "$2"' },
  {
    row: 'random 4 KiB reads',
    target: 1,
    script: `python3 -c '${RANDOM_READS}' large ${Math.max(50, Math.round(2000 * scale))}`,
  },
];

/** @param {Program} program @param {string} source @param {string} [script] @returns {Promise<{ first: number, read: number, memory: number }>} */
async function measured(program, source, script) {
  const target = path.join(base, 'mnt');
  mkdirSync(target, { recursive: true });
  mkdirSync(copies, { recursive: true });
  // Copies stay until the end: for minutes after files were removed, ext4 takes several times as long to make new ones.
  const copy = mkdtempSync(path.join(copies, 'copy-'));
  // What the kernel keeps of objects and of the last mount would be the same for all but the first.
  if (process.geteuid?.() === 0) writeFileSync('/proc/sys/vm/drop_caches', '3');
  const device = statSync(target).dev;
  const [command = '', ...args] = program.mount(target);
  const start = performance.now();
  const child = spawn(command, args, { env: { PATH: process.env['PATH'] ?? '', ...program.env }, stdio: 'ignore' });
  while (statSync(target).dev === device) {
    if (child.exitCode !== null) throw new Error(`${program.name} does not mount`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  try {
    run('ls', [target]);
    const first = performance.now() - start;
    if (script === undefined) return { first, read: 0, memory: peakMemory(String(child.pid)) };
    const root = sourceIn(program, target, source);
    const before = performance.now();
    run('bash', ['-c', `cd "$1" && ${script}`, 'bash', root, copy]);
    return { first, read: performance.now() - before, memory: peakMemory(String(child.pid)) };
  } finally {
    run('umount', [target]);
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  }
}

/** @param {import('./sshd.mjs').Sshd | undefined} sshd */
async function main(sshd) {
  const source = path.join(base, 'source');
  makeSource(source);
  const machine = describeMachine(base);
  const chosen = mountPrograms(base, sshd);
  const archives = Math.max(2, Math.round(100 * scale));
  for (const program of chosen) {
    if (!existsSync(path.join(base, program.name))) program.prepare(source, archives);
  }
  /** @type {import('./mount-report.mjs').MountRow[]} */
  const rows = [];
  /** @type {Record<string, number>} */
  const memory = {};
  for (const { row, target, script } of [{ row: FIRST_LOOK, target: 1, script: undefined }, ...READS]) {
    if (values.row !== undefined && !values.row.includes(row)) continue;
    /** @type {Record<string, number[]>} */
    const times = {};
    for (let round = 0; round < rounds; round++) {
      // In each round another one is first.
      for (let i = 0; i < chosen.length; i++) {
        const program = /** @type {Program} */ (chosen[(i + round) % chosen.length]);
        const measure = await measured(program, source, script);
        (times[program.name] ??= []).push(script === undefined ? measure.first : measure.read);
        memory[program.name] = Math.round(Math.max(memory[program.name] ?? 0, measure.memory));
      }
    }
    rows.push({ row, target, times });
    console.error(row, times);
  }
  const [files = '', bytes = ''] = run('bash', [
    '-c',
    'find "$1" | wc -l; du -sm "$1" | cut -f1',
    'bash',
    source,
  ]).split('\n');
  const command = `node bench/mount.mjs ${process.argv.slice(2).join(' ')}`.trim();
  const origin = {
    command: command.replaceAll(/ --(?:directory|out) \S+/g, ''),
    date: new Date().toISOString().slice(0, 10),
    machine,
    versions: chosen.map(({ version }) => readVersion(version)),
    data: `${files} entries, ${bytes} MiB, one file of ${Math.max(2, Math.round(64 * scale)) * 8} MiB among them`,
    archives,
    rounds,
  };
  const section = renderMounts(origin, rows, memory);
  console.log(section);
  const isWhole = scale >= 1 && rounds >= 3 && chosen.length === 3 && values.row === undefined;
  const own = isWhole ? fileURLToPath(new URL('MOUNTS.md', import.meta.url)) : path.join(base, 'MOUNTS.md');
  const page = values.out ?? own;
  const before = existsSync(page) ? readFileSync(page, 'utf8') : '';
  writeFileSync(page, pageWith(before, sshd === undefined ? LOCAL : OVER_SSH, section));
}

const keys = mkdtempSync(path.join(tmpdir(), 'cairn-mount-sshd-'));
const sshd = values.ssh ? await startSshd(keys) : undefined;
try {
  await main(sshd);
} finally {
  await sshd?.end();
  for (const one of [keys, copies]) rmSync(one, { recursive: true, force: true });
  if (values.directory === undefined) rmSync(base, { recursive: true, force: true });
}
