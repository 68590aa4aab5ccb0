// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {{ argv: string[], env: Record<string, string>, cwd?: string }} Command */
/** One measured run: seconds of wall, user and system time; peak bytes of memory of the whole process tree.
 * @typedef {{ wall: number, user: number, sys: number, rss: number }} Measurement */

/** Ctrl-C reached the program under measurement: the whole benchmark is to end, not only this program. */
export class Interrupted extends Error {}

const script = fileURLToPath(new URL('./measure.py', import.meta.url));
// The system's interpreter first: a version manager's shim would start a shell for every run.
const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
const stderrTail = 2000;

/**
 * Runs a command to its end with stdout thrown away. Rejects a non-zero exit with the end of what it wrote to stderr.
 * @param {Command} command
 * @param {string} scratch an existing directory for the stderr log
 * @returns {Measurement}
 */
export function measure(command, scratch) {
  const log = path.join(scratch, 'stderr.log');
  const job = { argv: command.argv, env: command.env, cwd: command.cwd ?? scratch, log };
  const wrapper = spawnSync(python, [script], { input: JSON.stringify(job), encoding: 'utf8' });
  if (wrapper.error) throw wrapper.error;
  if (wrapper.signal) throw new Interrupted(`ended by ${wrapper.signal}: ${command.argv.join(' ')}`);
  if (wrapper.status !== 0) throw new Error(`could not run ${command.argv.join(' ')}\n${wrapper.stderr.trim()}`);
  const { exit, ...measurement } = JSON.parse(wrapper.stdout);
  if (exit !== 0) {
    const said = readFileSync(log, 'utf8').trim().slice(-stderrTail);
    throw new Error(`exit ${exit} from: ${command.argv.join(' ')}\n${said}`);
  }
  return measurement;
}

/** Writes dirty pages out and forgets every cached page and inode, so that the next run reads from the disk (root only). */
export function dropCaches() {
  const sync = spawnSync('sync');
  if (sync.status !== 0) throw new Error('sync failed');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}

/**
 * Bytes of all files and directories below `directory` by apparent size, as `du -sb` counts.
 * @param {string} directory
 * @returns {number}
 */
export function storedBytes(directory) {
  const du = spawnSync('du', ['-sb', directory], { encoding: 'utf8' });
  if (du.status !== 0) throw new Error(`du -sb ${directory} failed: ${du.stderr}`);
  return Number.parseInt(du.stdout, 10);
}
