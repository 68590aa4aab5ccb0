#!/usr/bin/env node
// @ts-check
/** Runs the parts of the test suite one after the other; started by scripts/test.sh when everything is built. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { countsOfSummary, countsOfUnittest, countsOfVitest, judged } from './testing/counts.mjs';
import { otherNode } from './testing/other-node.mjs';
import { descendants, describeStall, reportOptions } from './testing/stalled.mjs';

/** @import { Counts } from './testing/counts.mjs' */
/** @typedef {{ cwd?: string, env?: Record<string, string> }} CommandOptions */

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const scratch = mkdtempSync(path.join(tmpdir(), 'cairn-tests-'));
const bin = (/** @type {string} */ name) => path.join(root, 'node_modules', '.bin', name);

/** A command that takes longer hangs. */
const COMMAND_MS = 35 * 60_000;
/** So does one that prints nothing for so long: several times what the longest test file takes on a busy machine. */
const SILENT_MS = 6 * 60_000;

/**
 * Shows a command's output as it comes, and keeps it. One that hangs is ended, after telling what its processes were doing.
 *
 * @param {string} command @param {readonly string[]} args @param {CommandOptions} [options]
 * @returns {Promise<{ output: string, status: number | null, hung: boolean }>}
 */
function run(command, args, { cwd = root, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let hung = false;
    const end = async () => {
      hung = true;
      if (child.pid !== undefined) {
        console.log(`== it hangs; its processes:\n${await describeStall(child.pid, scratch)}`);
        for (const { pid } of descendants(child.pid)) process.kill(pid, 'SIGKILL');
      }
    };
    const limit = setTimeout(end, COMMAND_MS);
    const silence = setTimeout(end, SILENT_MS);
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (/** @type {string} */ text) => {
        silence.refresh();
        output += text;
        process.stdout.write(text);
      });
    }
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(limit);
      clearTimeout(silence);
      resolve({ output, status, hung });
    });
  });
}

/** Commands that pass or fail as a whole. @param {readonly (readonly [string, ...string[]])[]} commands @returns {Promise<Counts>} */
async function eachIsOne(commands) {
  const counts = { passed: 0, failed: 0, notes: /** @type {string[]} */ ([]) };
  for (const [command, ...args] of commands) {
    const { status } = await run(command, args);
    if (status === 0) counts.passed += 1;
    else counts.failed += 1;
  }
  return counts;
}

/**
 * @param {(output: string) => Counts} count
 * @param {string} command @param {readonly string[]} args @param {CommandOptions} [options]
 */
async function counted(count, command, args, options) {
  const { output, status } = await run(command, args, options);
  return judged(count(output), status);
}

/** @param {string} name @param {string} node @param {Record<string, string>} env @returns {Promise<Counts>} */
async function vitest(name, node, env) {
  const report = path.join(scratch, `${name}.json`);
  const program = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [program, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  // Tests start programs of their own, which are to be run by the same Node.
  const PATH = `${path.dirname(node)}${path.delimiter}${process.env['PATH']}`;
  const options = { env: { ...env, PATH, NO_COLOR: '1', NODE_OPTIONS: reportOptions(scratch) } };
  const first = await run(node, args, options);
  // The runner itself has been seen to lose a finished process. What really hangs does so again.
  const { status } = first.hung ? await run(node, args, options) : first;
  try {
    const counts = judged(countsOfVitest(JSON.parse(readFileSync(report, 'utf8'))), status);
    return first.hung ? { ...counts, notes: [...counts.notes, 'hung once, counted is the second run'] } : counts;
  } catch (error) {
    return { passed: 0, failed: 1, notes: [`no report: ${error instanceof Error ? error.message : error}`] };
  }
}

/** The fast tests, and the whole program as two pages use it, on another Node. @param {number} major @returns {Promise<Counts>} */
async function onNode(major) {
  const found = otherNode(root, major);
  if ('unavailable' in found) {
    console.log(`skipped: ${found.unavailable}`);
    return { passed: 0, failed: 0, notes: [`skipped: ${found.unavailable}`] };
  }
  const tests = await vitest(`node-${major}`, found.node, { CAIRN_TESTS: 'fast' });
  const pages = ['docs/start.md', 'docs/guides/keys-and-recovery.md'];
  const docs = await counted(countsOfSummary, found.node, ['scripts/run-docs.mjs', ...pages]);
  return { passed: tests.passed + docs.passed, failed: tests.failed + docs.failed, notes: tests.notes };
}

const reader = path.join(root, 'testkit', 'reader');
const python = '/usr/bin/python3';

/** @type {Readonly<Record<string, () => Promise<Counts>>>} */
const PARTS = {
  types: () =>
    eachIsOne([
      [bin('tsc'), '-p', 'tsconfig.test.json'],
      [bin('tsc'), '-p', 'bench'],
      [bin('tsc'), '-p', 'scripts'],
    ]),
  lint: () => eachIsOne([[bin('oxlint'), '--deny-warnings', 'packages', 'scripts', 'testkit', 'bench']]),
  format: () => eachIsOne([[bin('prettier'), '--check', '--log-level=warn', '.']]),
  tidy: () => counted(countsOfSummary, process.execPath, ['scripts/tidy.mjs']),
  vitest: () => vitest('vitest', process.execPath, {}),
  reader: () => counted(countsOfUnittest, python, ['-m', 'unittest'], { cwd: reader }),
  vectors: () => counted(countsOfSummary, python, [path.join(reader, 'verify_vectors.py')]),
  repositories: () => counted(countsOfSummary, python, [path.join(reader, 'run_all.py')]),
  docs: () => counted(countsOfSummary, process.execPath, ['scripts/run-docs.mjs']),
  'node-24': () => onNode(24),
  'node-26': () => onNode(26),
};

async function main() {
  const asked = process.argv.slice(2);
  if (asked.includes('--list')) {
    console.log(Object.keys(PARTS).join('\n'));
    return;
  }
  const unknown = asked.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) console.log(`there is no part ${unknown.join(', ')}; see npm test -- --list`);
  let passed = 0;
  let failed = unknown.length;
  const lines = [];
  for (const [name, part] of Object.entries(PARTS)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`\n== ${name}`);
    const start = performance.now();
    const counts = await part();
    const notes = counts.notes.length > 0 ? ` (${counts.notes.join('; ')})` : '';
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    lines.push(`${name}: ${counts.passed} passed, ${counts.failed} failed${notes}, ${seconds} s`);
    passed += counts.passed;
    failed += counts.failed;
  }
  console.log(`\n${lines.join('\n')}`);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

try {
  await main();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
