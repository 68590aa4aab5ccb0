#!/usr/bin/env node
// @ts-check
/**
 * Reading through a mount: Cairn, borg and restic on the same data in one run.
 *
 *     node bench/mount.mjs [--scale 0.05] [--directory DIR] [--rounds 3] [--out FILE]
 *
 * Needs FUSE, and root to mount without more. Repositories that are in DIR already are used again. A whole run (full size, three
 * rounds or more, all programs) writes bench/MOUNTS.md; any other one MOUNTS.md in DIR.
 */
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { describeMachine, readVersion } from './machine.mjs';
import { renderMounts } from './mount-report.mjs';

/** @typedef {{ name: string, prepare: (source: string, archives: number) => void, mount: (target: string) => string[], env: Record<string, string> }} Program */

const MiB = 1024 * 1024;
const { values } = parseArgs({
  options: {
    scale: { type: 'string' },
    directory: { type: 'string' },
    rounds: { type: 'string' },
    out: { type: 'string' },
  },
});
const scale = Number(values.scale ?? '1');
const rounds = Number(values.rounds ?? '3');
const base = values.directory ?? mkdtempSync(path.join(tmpdir(), 'cairn-mount-bench-'));
const cairnMain = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));

/** @param {string} command @param {readonly string[]} args @param {Record<string, string>} [env] */
function run(command, args, env = {}) {
  const done = spawnSync(command, args, { env: { PATH: process.env['PATH'] ?? '', ...env }, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${done.status}: ${done.stderr}`);
  return done.stdout;
}

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

/** @returns {Program[]} */
function programs() {
  const home = path.join(base, 'home');
  mkdirSync(home, { recursive: true });
  const cairn = { HOME: home, CAIRN_REPOSITORY: path.join(base, 'cairn') };
  const borg = {
    HOME: home,
    BORG_PASSPHRASE: 'benchmark',
    BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes',
    BORG_REPO: path.join(base, 'borg'),
    BORG_BASE_DIR: home,
  };
  const restic = { HOME: home, RESTIC_PASSWORD: 'benchmark', RESTIC_REPOSITORY: path.join(base, 'restic') };
  /** @param {number} archives @param {(i: number) => void} make */
  const times = (archives, make) => Array.from({ length: archives }, (_, i) => make(i));
  /** @type {Program[]} */
  const all = [
    {
      name: 'cairn',
      env: cairn,
      prepare: (source, archives) => {
        run(process.execPath, [cairnMain, 'init'], cairn);
        times(archives, () => run(process.execPath, [cairnMain, 'backup', source], cairn));
      },
      mount: (target) => [process.execPath, cairnMain, 'mount', '--all', target, '--foreground'],
    },
    {
      name: 'borg',
      env: borg,
      prepare: (source, archives) => {
        run('borg', ['init', '-e', 'repokey'], borg);
        times(archives, (i) => run('borg', ['create', `::a-${String(i).padStart(4, '0')}`, source], borg));
      },
      mount: (target) => ['borg', 'mount', '--foreground', String(borg.BORG_REPO), target],
    },
    {
      name: 'restic',
      env: restic,
      prepare: (source, archives) => {
        run('restic', ['init'], restic);
        times(archives, () => run('restic', ['backup', source], restic));
      },
      mount: (target) => ['restic', 'mount', target],
    },
  ];
  return all.filter(({ name }) => name === 'cairn' || spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
}

/** Where the newest archive's source is below a mount. @param {string} name @param {string} target @param {string} source */
function sourceIn(name, target, source) {
  const script = {
    cairn: 'ls -d "$1"/*/latest',
    borg: 'ls -d "$1"/* | tail -1',
    restic: 'ls -d "$1"/snapshots/latest',
  }[name];
  return run('bash', ['-c', script ?? 'false', 'bash', target]).trim() + source;
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
  const copy = path.join(base, 'copy');
  for (const one of [target, copy]) mkdirSync(one, { recursive: true });
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
    const root = sourceIn(program.name, target, source);
    const before = performance.now();
    run('bash', ['-c', `cd "$1" && ${script}`, 'bash', root, copy]);
    return { first, read: performance.now() - before, memory: peakMemory(String(child.pid)) };
  } finally {
    run('umount', [target]);
    if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
    rmSync(copy, { recursive: true });
  }
}

async function main() {
  const source = path.join(base, 'source');
  makeSource(source);
  const machine = describeMachine(base);
  const chosen = programs();
  const archives = Math.max(2, Math.round(100 * scale));
  for (const program of chosen) {
    if (!existsSync(path.join(base, program.name))) program.prepare(source, archives);
  }
  /** @type {import('./mount-report.mjs').MountRow[]} */
  const rows = [];
  /** @type {Record<string, number>} */
  const memory = {};
  for (const { row, target, script } of [{ row: 'first ls', target: 1, script: undefined }, ...READS]) {
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
  const versions = [['cairn'], ...chosen.slice(1).map(({ name }) => [name])].map(([name = '']) =>
    name === 'cairn'
      ? readVersion([process.execPath, cairnMain, '--version'])
      : readVersion([name, ...versionOf(name)]),
  );
  const command = `node bench/mount.mjs ${process.argv.slice(2).join(' ')}`.trim();
  const origin = {
    command: command.replaceAll(/ --(?:directory|out) \S+/g, ''),
    date: new Date().toISOString().slice(0, 10),
    machine,
    versions,
    data: `${files} entries, ${bytes} MiB, one file of ${Math.max(2, Math.round(64 * scale)) * 8} MiB among them`,
    archives,
    rounds,
  };
  const report = renderMounts(origin, rows, memory);
  console.log(report);
  const isWhole = scale >= 1 && rounds >= 3 && chosen.length === 3;
  const own = isWhole ? fileURLToPath(new URL('MOUNTS.md', import.meta.url)) : path.join(base, 'MOUNTS.md');
  writeFileSync(values.out ?? own, report);
}

/** @param {string} program */
function versionOf(program) {
  return program === 'restic' ? ['version'] : ['--version'];
}

try {
  await main();
} finally {
  if (values.directory === undefined) rmSync(base, { recursive: true, force: true });
}
