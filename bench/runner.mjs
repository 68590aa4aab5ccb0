// @ts-check
/**
 * What a job costs beside the backup by hand that it does: `cairn backup` and `cairn run` in turn on the same unchanged files, by
 * wall and processor time.
 *
 *     node bench/runner.mjs                          # 10,000 files, 15 rounds
 *     node bench/runner.mjs --files 200 --rounds 3   # does it work at all
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measure } from './measure.mjs';

/** @typedef {import('./measure.mjs').Measurement} Measurement */

/** Seconds of wall time that a run may take longer than the backup. */
const TARGET_S = 0.3;

const { values } = parseArgs({
  options: { files: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '15' } },
});
const work = mkdtempSync(path.join(process.env['BENCH_DIR'] ?? tmpdir(), 'cairn-runner-'));
const main = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));
const [repository, key, source, job] = ['repository', 'key', 'source', 'nightly.toml'].map((name) =>
  path.join(work, name),
);
const env = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: path.join(work, 'home'),
  CAIRN_REPOSITORY: String(repository),
  CAIRN_KEY_FILE: String(key),
};

/** @param {string[]} args @returns {Measurement} */
function cairn(...args) {
  return measure({ argv: [process.execPath, main, ...args], env, cwd: work }, work);
}

/** @param {readonly number[]} numbers */
function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

try {
  for (let i = 0; i < Number(values.files); i++) {
    const directory = path.join(String(source), String(i % 100));
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, `file-${i}`), `file ${i}\n`.repeat(50));
  }
  writeFileSync(
    String(job),
    `[repository]\naddress = "${repository}"\nkey-file = "${key}"\n[backup]\nseries = "bench"\nsources = ["${source}"]\n`,
  );
  cairn('init', '--key-file', String(key));
  const byHand = () => cairn('backup', '--quiet', '--series', 'bench', String(source));
  const asJob = () => cairn('run', '--quiet', String(job));
  byHand();
  asJob();
  /** @type {{ hand: Measurement, job: Measurement }[]} */
  const pairs = [];
  // Each goes first in turn: what the machine does meanwhile meets both.
  for (let round = 0; round < Number(values.rounds); round++) {
    const first = round % 2 === 0 ? byHand() : asJob();
    const second = round % 2 === 0 ? asJob() : byHand();
    pairs.push(round % 2 === 0 ? { hand: first, job: second } : { hand: second, job: first });
  }
  /** @param {Measurement} one */
  const cpu = ({ user, sys }) => user + sys;
  const more = median(pairs.map(({ hand, job: run }) => run.wall - hand.wall));
  console.log(
    `cairn backup  ${median(pairs.map(({ hand }) => hand.wall)).toFixed(2)} s, processor ${median(pairs.map(({ hand }) => cpu(hand))).toFixed(2)} s`,
  );
  console.log(
    `cairn run     ${median(pairs.map(({ job: run }) => run.wall)).toFixed(2)} s, processor ${median(pairs.map(({ job: run }) => cpu(run))).toFixed(2)} s`,
  );
  console.log(
    `a run takes ${more.toFixed(2)} s longer (median of ${pairs.length} pairs); the target is ${TARGET_S} s at most`,
  );
  if (!(more <= TARGET_S)) process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
