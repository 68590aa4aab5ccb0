// @ts-check
/**
 * Giving back space: half of many archives is deleted, and the space compacted, by each program on the same data; and the
 * memory that Cairn takes for it on a repository of many chunks.
 *
 *     node bench/compact.mjs                                            # 100 archives of 20,000 files; 2 million chunks
 *     node bench/compact.mjs --archives 6 --files 500 --chunks 20000    # does it work at all
 *     node bench/compact.mjs --only memory
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure, storedBytes } from './measure.mjs';

/** @typedef {import('./measure.mjs').Measurement} Measurement */
/** @typedef {{ name: string, create: string[][], backup: (archive: string) => string[], half: () => string[][] }} Client */

const { values } = parseArgs({
  options: {
    archives: { type: 'string', default: '100' },
    files: { type: 'string', default: '20000' },
    chunks: { type: 'string', default: '2000000' },
    'in-pack': { type: 'string', default: '100' },
    only: { type: 'string' },
  },
});
const archives = Number(values.archives);
const files = Number(values.files);
const work = mkdtempSync(path.join(process.env['BENCH_DIR'] ?? tmpdir(), 'cairn-compact-'));
const main = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
/** @type {Record<string, string>} */
const env = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  LANG: 'C.UTF-8',
  HOME: path.join(work, 'home'),
  BORG_BASE_DIR: path.join(work, 'borg-state'),
  BORG_PASSPHRASE: 'bench',
  BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  RESTIC_PASSWORD: 'bench',
  RESTIC_CACHE_DIR: path.join(work, 'restic-cache'),
};
const source = path.join(work, 'source');

/** @param {string[]} argv @returns {Measurement} */
function run(argv) {
  return measure({ argv, env, cwd: work }, work);
}

/** @param {string[]} argv @returns {string} */
function read([program = '', ...args]) {
  return execFileSync(program, args, { env, cwd: work, encoding: 'utf8', maxBuffer: 1 << 28 });
}

/** @param {number} number @param {number} round */
function writeFile(number, round) {
  const directory = path.join(source, String(number % 100));
  mkdirSync(directory, { recursive: true });
  const line = `file ${number} of round ${round} ${Math.imul(number * 2_654_435_761, round + 1) >>> 0}\n`;
  writeFileSync(path.join(directory, `file-${number}`), line.repeat(20 + (number % 200)));
}

/** @param {string} kind @returns {Client} */
function clientOf(kind) {
  const repository = path.join(work, kind);
  if (kind === 'borg') {
    return {
      name: kind,
      create: [['borg', 'init', '--encryption', 'repokey', repository]],
      backup: (archive) => ['borg', 'create', `${repository}::${archive}`, source],
      half: () => {
        const names = Array.from({ length: archives }, (_, i) => `archive-${i}`).filter((_, i) => i % 2 === 0);
        return [
          ['borg', 'delete', repository, ...names],
          ['borg', 'compact', repository],
        ];
      },
    };
  }
  if (kind === 'restic') {
    const restic = ['restic', '-r', repository];
    return {
      name: kind,
      create: [[...restic, 'init']],
      backup: () => [...restic, 'backup', source],
      half: () => {
        const snapshots = JSON.parse(read([...restic, 'snapshots', '--json']));
        const ids = snapshots.map((/** @type {{ id: string }} */ { id }) => id);
        return [
          [
            ...restic,
            'forget',
            '--prune',
            ...ids.filter((/** @type {string} */ _, /** @type {number} */ i) => i % 2 === 0),
          ],
        ];
      },
    };
  }
  const key = path.join(work, 'cairn.key');
  const cairn = [process.execPath, main, '-r', repository, '--key-file', key];
  return {
    name: kind,
    create: [[...cairn, 'init']],
    backup: () => [...cairn, 'backup', '--series', 'bench', source],
    half: () => {
      const listed = JSON.parse(read([...cairn, 'list', '--json']));
      const ids = listed.map((/** @type {{ id: string }} */ { id }) => id);
      return [
        [...cairn, 'delete', ...ids.filter((/** @type {string} */ _, /** @type {number} */ i) => i % 2 === 0)],
        [...cairn, 'compact', '--grace', '0'],
      ];
    },
  };
}

function compareEqual() {
  const clients = ['cairn', 'borg', 'restic'].filter((kind) => kind === 'cairn' || isInstalled(kind)).map(clientOf);
  for (let file = 0; file < files; file++) writeFile(file, 0);
  for (const client of clients) for (const argv of client.create) run(argv);
  for (let round = 0; round < archives; round++) {
    for (let file = round; file < files; file += 100) writeFile(file, round);
    for (const client of clients) run(client.backup(`archive-${round}`));
  }
  for (const client of clients) {
    const before = storedBytes(path.join(work, client.name));
    let wall = 0;
    let rss = 0;
    for (const argv of client.half()) {
      const measured = run(argv);
      wall += measured.wall;
      rss = Math.max(rss, measured.rss);
    }
    const after = storedBytes(path.join(work, client.name));
    console.log(
      `${client.name.padEnd(7)} half of ${archives} archives gone: ${wall.toFixed(2)} s, ${megabytes(rss)} of memory, ` +
        `${megabytes(before)} to ${megabytes(after)} stored`,
    );
  }
}

/** @param {string} program */
function isInstalled(program) {
  try {
    read([program, program === 'borg' ? '--version' : 'version']);
    return true;
  } catch {
    console.error(`bench: ${program} is not installed: left out`);
    return false;
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

async function measureMemory() {
  const { makeManyChunks } = await import('./many-chunks.mjs');
  const chunks = Number(values.chunks);
  const directory = path.join(work, 'many');
  await makeManyChunks(directory, { chunks, inPack: Number(values['in-pack']), inFile: 32 });
  const repository = path.join(directory, 'repository');
  const cairn = [process.execPath, main, '-r', repository, '--key-file', path.join(directory, 'root.key')];
  for (const [what, args] of /** @type {[string, string[]][]} */ ([
    ['check', ['check']],
    ['plan', ['compact', '--grace', '0', '--dry-run']],
    ['compact', ['compact', '--grace', '0']],
    ['check after it', ['check']],
  ])) {
    const { wall, rss } = run([...cairn, ...args]);
    console.log(`${chunks} chunks, ${what}: ${wall.toFixed(1)} s, ${megabytes(rss)} of memory`);
  }
}

mkdirSync(path.join(work, 'home'), { recursive: true });
try {
  if (values.only !== 'memory') compareEqual();
  if (values.only !== 'equal') await measureMemory();
} finally {
  rmSync(work, { recursive: true, force: true });
}
