// @ts-check
import { spawnSync } from 'node:child_process';
import os from 'node:os';

/**
 * One line that says on what the results were taken.
 * @param {string} directory where the data is
 * @returns {string}
 */
export function describeMachine(directory) {
  const cpus = os.cpus();
  const model = cpus[0]?.model.trim() ?? 'unknown processor';
  const memory = (os.totalmem() / 2 ** 30).toFixed(1);
  const load = (os.loadavg()[0] ?? 0).toFixed(2);
  return [
    `${cpus.length} cores (${model})`,
    `${memory} GiB of memory`,
    `Linux ${os.release()}`,
    `${fileSystem(directory)}`,
    `Node ${process.versions.node}`,
    `load ${load} at the start`,
  ].join(', ');
}

/** @param {string} directory @returns {string} the type of its file system */
function fileSystem(directory) {
  const df = spawnSync('df', ['--output=fstype', directory], { encoding: 'utf8' });
  if (df.status !== 0) throw new Error(`df ${directory} failed: ${df.stderr}`);
  return df.stdout.trim().split('\n').at(-1) ?? 'unknown file system';
}

/** @param {string[]} command @returns {string} the first line it prints, without what varies from build to build */
export function readVersion(command) {
  const [program = '', ...args] = command;
  const run = spawnSync(program, args, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${command.join(' ')} failed: ${run.stderr ?? run.error}`);
  return (run.stdout.split('\n')[0] ?? '').replace(/ compiled with .*/, '');
}
