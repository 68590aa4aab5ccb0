// @ts-check
import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureSet } from './data.mjs';
import { describeMachine, readVersion } from './machine.mjs';
import { Interrupted } from './measure.mjs';
import { runMemory } from './memory.mjs';
import { readOptions, usage, UsageError } from './options.mjs';
import { choosePrograms, withMounted } from './peers.mjs';
import { renderSection } from './report.mjs';
import { sectionKey, updateResults } from './results.mjs';
import { runSet } from './rounds.mjs';

/** @typedef {import('./options.mjs').Options} Options */
/** @typedef {import('./results.mjs').Origin} Origin */
/** @typedef {import('./results.mjs').Section} Section */
/** @typedef {import('./tools.mjs').Program} Program */

/** @returns {Promise<number>} the exit code: 0 done, 1 a program failed */
async function main() {
  const argv = process.argv.slice(2);
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(usage);
    return 0;
  }
  const options = adjustToRights(readOptions(argv));
  const home = benchDirectory();
  const { programs, peers, root } = choosePrograms(process.env);
  const usable = selectPrograms(programs, options);
  /** @type {Origin} */
  const origin = {
    command: describeCommand(argv, peers),
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(home),
    peers,
  };
  const out = options.out ?? (options.complete && !options.warm ? benchSource() : path.join(home, 'results'));
  const work = path.join(home, 'work');
  // An interrupted run leaves its repositories here.
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const failed = await withMounted(root, home, () =>
    options.memory ? memory(usable, options, origin, out, work) : sets(usable, options, origin, out, home, work),
  );
  console.error(`bench: wrote ${path.join(out, 'RESULTS.md')}`);
  return failed ? 1 : 0;
}

/**
 * @param {Program[]} programs @param {Options} options @param {Origin} origin
 * @param {string} out @param {string} home @param {string} work
 * @returns {Promise<boolean>} whether a program failed
 */
async function sets(programs, options, origin, out, home, work) {
  let failed = false;
  const infos = programs.map(describeProgram);
  for (const name of options.only) {
    const set = ensureSet(name, path.join(home, 'data'), options.scale);
    const outcome = await runSet(set, programs, options, work);
    /** @type {Section} */
    const section = {
      origin,
      set: name,
      cache: options.warm ? 'warm' : 'cold',
      scale: options.scale,
      rounds: options.runs,
      data: { files: set.files, bytes: set.bytes },
      programs: infos,
      outcome,
    };
    // After each set, so that a later failure loses nothing.
    updateResults(out, (results) => {
      results.sections[sectionKey(section)] = section;
    });
    console.log(renderSection(section));
    failed ||= Object.keys(outcome.failures).length > 0;
  }
  return failed;
}

/**
 * @param {Program[]} programs @param {Options} options @param {Origin} origin @param {string} out @param {string} work
 * @returns {Promise<boolean>} false: a failure is thrown
 */
async function memory(programs, options, origin, out, work) {
  // Cairn alone unless others are named: the question is whether Cairn's memory grows.
  const chosen = options.programs === undefined ? programs.filter((program) => !program.peer) : programs;
  if (chosen.length === 0)
    throw new UsageError('--memory measures Cairn, which cannot run here; name others by --programs');
  const measured = runMemory(chosen, options.scale, work);
  updateResults(out, (results) => {
    results.memory = { origin, ...measured };
  });
  return false;
}

/** @param {Program} program @returns {import('./results.mjs').ProgramInfo} */
function describeProgram({ name, label, peer, version, mode }) {
  const printed = readVersion(version);
  return { name, label, peer, version: mode === undefined ? printed : `${printed} (${mode})` };
}

/** @param {Options} options @returns {Options} */
function adjustToRights(options) {
  if (options.warm || options.memory || process.getuid?.() === 0) return options;
  console.error('bench: not root, so the page cache cannot be dropped: measuring with --warm');
  return { ...options, warm: true };
}

/** @param {Program[]} programs @param {Options} options @returns {Program[]} those asked for that can run here */
function selectPrograms(programs, options) {
  const unknown = options.programs?.find((name) => !programs.some((program) => program.name === name));
  if (unknown !== undefined) throw new UsageError(`--programs does not know ${unknown}`);
  const chosen = programs.filter(({ name }) => options.programs?.includes(name) ?? true);
  for (const program of chosen) {
    if (program.missing !== undefined) console.error(`bench: leaving out ${program.label}: ${program.missing}`);
  }
  const usable = chosen.filter((program) => program.missing === undefined);
  if (usable.length === 0) throw new UsageError('no program to measure');
  return usable;
}

/** @returns {string} where data and repositories go, without links in its path so that a chroot finds the same one */
function benchDirectory() {
  const directory = process.env['BENCH_DIR'] ?? path.join(os.tmpdir(), 'cairn-bench');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return realpathSync(directory);
}

/** @returns {string} this directory, where the report of complete runs is kept */
function benchSource() {
  return path.dirname(fileURLToPath(import.meta.url));
}

/** @param {string[]} argv @param {string} peers @returns {string} */
function describeCommand(argv, peers) {
  const prefix = peers === 'newer' ? 'PEERS=newer PEERS_DIR=DIR ' : '';
  return `${prefix}bash bench/run.sh${argv.map((word) => ` ${word}`).join('')}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`bench: ${error.message} (bash bench/run.sh --help lists the options)`);
    process.exitCode = 2;
  } else if (error instanceof Interrupted) {
    console.error(`bench: ${error.message}`);
    process.exitCode = 130;
  } else throw error;
}
