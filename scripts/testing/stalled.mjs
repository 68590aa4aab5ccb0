// @ts-check
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Options of Node under which a process writes what it is doing on `SIGUSR2`. @param {string} directory @returns {string} */
export function reportOptions(directory) {
  return `--report-on-signal --report-signal=SIGUSR2 --report-compact --report-directory=${directory}`;
}

/** How long a process may take to write its report. */
const REPORT_MS = 5_000;

/** @typedef {{ pid: number, parent: number, state: string, command: string }} Process */

/** What runs below `root`, itself included. @param {number} root @returns {Process[]} */
export function descendants(root) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state = '?', parent = '0'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), parent: Number(parent), state, command }];
      } catch {
        return []; // It has ended since.
      }
    });
  const found = new Set([root]);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const each of all) if (found.has(each.parent)) found.add(each.pid);
  }
  return all.filter((each) => found.has(each.pid));
}

/**
 * What every process below `root` is doing: its state, and where Node wrote a report (`reportOptions`), its stack and what
 * it waits for.
 *
 * @param {number} root @param {string} directory where reports go
 * @returns {Promise<string>}
 */
export async function describeStall(root, directory) {
  const processes = descendants(root);
  for (const { pid, command } of processes) if (/\bnode\b/.test(command)) process.kill(pid, 'SIGUSR2');
  await delay(REPORT_MS);
  const reports = readdirSync(directory).filter((name) => name.startsWith('report.'));
  return processes
    .map(({ pid, parent, state, command }) => {
      const file = reports.find((name) => name.split('.').includes(String(pid)));
      const doing =
        file === undefined ? `no report, in ${wchan(pid)}` : summary(readFileSync(path.join(directory, file), 'utf8'));
      return `pid ${pid} of ${parent}, state ${state}: ${command.slice(0, 300)}\n  ${doing}`;
    })
    .join('\n');
}

/** The call of the kernel it waits in; 0 for none. @param {number} pid @returns {string} */
function wchan(pid) {
  try {
    return readFileSync(`/proc/${pid}/wchan`, 'utf8') || '0';
  } catch {
    return 'an unknown place';
  }
}

/** @param {string} text @returns {string} */
function summary(text) {
  try {
    const { javascriptStack, libuv, workers = [] } = JSON.parse(text);
    const active = libuv.filter((/** @type {{ is_active: boolean }} */ handle) => handle.is_active);
    return JSON.stringify({ javascriptStack, waitsFor: active, workers: workers.length }).slice(0, 4_000);
  } catch (error) {
    return `its report cannot be read: ${error instanceof Error ? error.message : error}`;
  }
}
