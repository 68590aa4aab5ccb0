#!/usr/bin/env node
// @ts-check
/**
 * The management API under load: many people list archives and browse a large directory while a backup runs, and many follow a
 * run.
 *
 *     node bench/panel.mjs [--archives 1000] [--entries 10000] [--clients 32] [--followers 100] [--seconds 20] [--directory DIR]
 *
 * Prints a table, and writes panel.json into DIR. Latencies are those of whole answers, as the client sees them; beside them is the
 * processor time of the API for each request, which other load on the machine does not change.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { RunStore } from '../packages/jobs/dist/index.js';
import { describeMachine } from './machine.mjs';
import { makePanelData } from './panel-data.mjs';

const number = /** @type {const} */ ({ type: 'string' });
const { values } = parseArgs({
  options: {
    archives: number,
    entries: number,
    clients: number,
    followers: number,
    seconds: number,
    directory: { type: 'string' },
  },
});
const archives = Number(values.archives ?? 1_000);
const entries = Number(values.entries ?? 10_000);
const clients = Number(values.clients ?? 32);
const followers = Number(values.followers ?? 100);
const seconds = Number(values.seconds ?? 20);
const base = values.directory ?? mkdtempSync(path.join(tmpdir(), 'cairn-panel-bench-'));
const place = (/** @type {string[]} */ ...names) => path.join(base, ...names);
const apiMain = fileURLToPath(new URL('../packages/api/dist/main.js', import.meta.url));
const cairnMain = fileURLToPath(new URL('../packages/cli/dist/main.js', import.meta.url));

/** @typedef {{ address: string, pid: number, headers: Record<string, string>, stop: () => Promise<void> }} Panel */

/** A panel in a process of its own, logged in, with its gate open. @param {string} recoveryKey @returns {Promise<Panel>} */
async function startPanel(recoveryKey) {
  const file = place('panel.toml');
  writeFileSync(
    file,
    // All clients are one account here, which asks more often than any may by default.
    `listen = "127.0.0.1:0"\nstate-directory = "${place('state')}"\njobs-directory = "${place('jobs')}"\n` +
      'requests-per-minute = 1_000_000\n' +
      `[[repositories]]\nname = "main"\naddress = "${place('repository')}"\nkey-file = "${place('root.key')}"\n`,
  );
  const panel = spawn(process.execPath, [apiMain, '--panel-file', file, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = /** @type {[Buffer]} */ (await once(panel.stdout, 'data'));
  const { address, setup } = JSON.parse(line.toString());
  const body = { setup: String(setup).split('/').at(-1), name: 'admin', password: 'correct horse battery' };
  const login = await fetch(`${address}/api/v1/setup`, json('POST', body));
  const [cookie = ''] = (login.headers.get('set-cookie') ?? '').split(';');
  const { forgery_token: forgery } = /** @type {{ forgery_token: string }} */ (await login.json());
  const headers = { cookie, 'x-cairn-forgery': forgery };
  const saved = `${address}/api/v1/repositories/main/recovery-key/saved`;
  const opened = await fetch(saved, json('POST', { recovery_key: recoveryKey }, headers));
  if (!opened.ok) throw new Error(`the gate stays closed: ${await opened.text()}`);
  const stop = async () => {
    panel.kill('SIGTERM');
    await once(panel, 'exit');
  };
  return { address, pid: panel.pid ?? 0, headers, stop };
}

/** @param {string} method @param {unknown} body @param {Record<string, string>} [headers] */
function json(method, body, headers = {}) {
  return { method, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** Backs up fresh data again and again until the signal fires. @param {AbortSignal} signal @returns {Promise<number>} how often */
async function backUpAllTheTime(signal) {
  mkdirSync(place('busy'), { recursive: true });
  for (let runs = 0; ; runs++) {
    if (signal.aborted) return runs;
    for (let i = 0; i < 8; i++) writeFileSync(place('busy', `data-${i}`), randomBytes(8 * 1024 * 1024));
    const args = [
      'backup',
      '-r',
      place('repository'),
      '--key-file',
      place('root.key'),
      '--series',
      'busy',
      place('busy'),
    ];
    const env = { PATH: process.env['PATH'] ?? '', HOME: place('home') };
    const child = spawn(process.execPath, [cairnMain, ...args], { env, stdio: 'ignore' });
    const [status] = /** @type {[number]} */ (await once(child, 'exit'));
    if (status !== 0) throw new Error(`a backup ended with status ${status}`);
  }
}

/** Asks once. @param {Panel} panel @param {Agent} agent @param {string} target @returns {Promise<number>} milliseconds to the end of the answer */
function ask({ address, headers }, agent, target) {
  const { hostname, port } = new URL(address);
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    request({ hostname, port, path: target, headers, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${target} answered ${response.statusCode}`));
      response.resume().once('end', () => resolve(performance.now() - begin));
    })
      .once('error', reject)
      .end();
  });
}

/** @typedef {{ requests: number, p50: number, p95: number, p99: number, most: number, cpu: number }} Latencies */

/** @param {number[]} times milliseconds @param {number} cpuMs of the API for all of them @returns {Latencies} */
function latencies(times, cpuMs) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return {
    requests: sorted.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    most: sorted.at(-1) ?? 0,
    cpu: cpuMs / sorted.length,
  };
}

/** Clients that ask as fast as they are answered. @param {Panel} panel @param {(i: number) => string} target @returns {Promise<Latencies>} */
async function load(panel, target) {
  /** @type {number[]} */
  const times = [];
  const end = performance.now() + seconds * 1000;
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  let asked = 0;
  const before = cpuMsOf(panel.pid);
  const client = async () => {
    while (performance.now() < end) times.push(await ask(panel, agent, target(asked++)));
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return latencies(times, cpuMsOf(panel.pid) - before);
}

/** People who follow one run. @param {Panel} panel @returns {Promise<Latencies>} from when an event is written to when it is seen */
async function follow(panel) {
  const runs = new RunStore(place('state', 'runs'));
  const run = await runs.create('bench', 'backup', 'manual');
  /** @type {number[]} */
  const times = [];
  const agent = new Agent({ keepAlive: false, maxSockets: Infinity });
  const { hostname, port } = new URL(panel.address);
  let connected = 0;
  const following = Array.from({ length: followers }, () => {
    return /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        request(
          { hostname, port, path: `/api/v1/runs/${run.id}/events`, headers: panel.headers, agent },
          (response) => {
            if (response.statusCode !== 200) reject(new Error(`following answered ${response.statusCode}`));
            connected += 1;
            let text = '';
            response.on('data', (/** @type {Buffer} */ part) => {
              text += part.toString();
              for (let cut = text.indexOf('\n\n'); cut !== -1; cut = text.indexOf('\n\n')) {
                const written = /"text":"at ([\d.]+)"/.exec(text.slice(0, cut));
                if (written !== null) times.push(performance.now() - Number(written[1]));
                text = text.slice(cut + 2);
              }
            });
            response.once('end', resolve);
            response.once('error', reject);
          },
        )
          .once('error', reject)
          .end();
      })
    );
  });
  while (connected < followers) await wait(20);
  const before = cpuMsOf(panel.pid);
  const events = seconds * 2;
  for (let i = 0; i < events; i++) {
    run.append({
      type: 'progress',
      step: 'backup',
      done_bytes: i,
      total_bytes: events,
      text: `at ${performance.now()}`,
    });
    await wait(500);
  }
  const cpuMs = cpuMsOf(panel.pid) - before;
  await run.end({ status: 'success', exit: 0, figures: {} });
  await Promise.all(following);
  agent.destroy();
  if (times.length !== events * followers) throw new Error(`${times.length} events came of ${events * followers}`);
  return latencies(times, cpuMs);
}

/** @param {number} pid @param {'VmRSS' | 'VmHWM'} field @returns {number} MiB */
function memoryOf(pid, field) {
  const line = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) / 1024;
}

/** Processor time of a process, milliseconds: proc(5), fields 14 and 15 in hundredths of a second. @param {number} pid */
function cpuMsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const recoveryKeyFile = place('recovery-key');
mkdirSync(place('jobs'), { recursive: true });
const machine = describeMachine(base);
if (!existsSync(recoveryKeyFile))
  writeFileSync(recoveryKeyFile, await makePanelData(base, archives, entries), { mode: 0o600 });
rmSync(place('state'), { recursive: true, force: true });
const panel = await startPanel(readFileSync(recoveryKeyFile, 'utf8'));
const ended = new AbortController();
const backups = backUpAllTheTime(ended.signal);
const archivesAt = '/api/v1/repositories/main/archives';
const sorts = ['started', 'name', 'size'];
const large = encodeURIComponent(place('large'));
const entryLimit = 200;
const results = {
  list: await load(panel, (i) => `${archivesAt}?limit=100&offset=${(i * 100) % archives}&sort=${sorts[i % 3]}`),
  browse: await load(
    panel,
    (i) => `${archivesAt}/large@latest/entries?path=${large}&limit=${entryLimit}&offset=${(i * entryLimit) % entries}`,
  ),
  browse_by_time: await load(
    panel,
    (i) =>
      `${archivesAt}/large@latest/entries?path=${large}&limit=${entryLimit}&sort=mtime&offset=${(i * entryLimit) % entries}`,
  ),
  follow: await follow(panel),
};
const memory = { now: memoryOf(panel.pid, 'VmRSS'), most: memoryOf(panel.pid, 'VmHWM') };
ended.abort();
const backupRuns = await backups;
await panel.stop();

const ms = (/** @type {number} */ value) => `${value.toFixed(1)} ms`;
process.stdout.write(`${machine}\n`);
process.stdout.write(
  `${archives} archives, a directory of ${entries} entries, ${clients} clients, ${followers} followers, ${backupRuns} backups meanwhile\n\n`,
);
process.stdout.write(
  '| what | requests | median | 95 % | 99 % | slowest | processor for each |\n| --- | --- | --- | --- | --- | --- | --- |\n',
);
for (const [name, { requests, p50, p95, p99, most, cpu }] of Object.entries(results)) {
  process.stdout.write(
    `| ${name.replaceAll('_', ' ')} | ${requests} | ${ms(p50)} | ${ms(p95)} | ${ms(p99)} | ${ms(most)} | ${cpu.toFixed(2)} ms |\n`,
  );
}
process.stdout.write(`\nmemory of the API: ${memory.now.toFixed(0)} MiB, at most ${memory.most.toFixed(0)} MiB\n`);
writeFileSync(
  place('panel.json'),
  `${JSON.stringify({ machine, archives, entries, clients, followers, backupRuns, results, memory }, undefined, 2)}\n`,
);
if (values.directory === undefined) rmSync(base, { recursive: true, force: true });
