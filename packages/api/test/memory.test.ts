import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';

import { CAIRN, PASSWORD, ScratchPanel } from './support/scratch-panel.ts';
import { backUp, content } from './support/stock.ts';

/** MiB that a panel may take; its target is 200 MB, this is with margin. */
const MOST_MIB = 185;
const CLIENTS = 32;
const REQUESTS = 600;
const FILES = 500;
const ARCHIVES = 5;
const LARGE_BYTES = 8_000_000;

let scratch: ScratchPanel | undefined;
let child: ChildProcess | undefined;

afterAll(async () => {
  child?.kill('SIGKILL');
  await scratch?.remove();
});

/** Peak of the process, from proc_pid_status(5). */
function peakMiB(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe('the memory of a panel', () => {
  it(`stays below ${MOST_MIB} MiB with ${CLIENTS} clients that list, browse, download and log in`, async () => {
    scratch = await ScratchPanel.make();
    const admin = await scratch.setUp();
    await scratch.openGate(admin);
    const rights = ['archives:read', 'archives:restore', 'audit:read', 'self'] as const;
    const { headers } = await scratch.token(admin, rights);
    const source = join(scratch.directory, 'source');
    mkdirSync(source);
    for (let i = 0; i < FILES; i++) writeFileSync(join(source, `file-${i}`), `content ${i}`);
    writeFileSync(join(source, 'large'), content(LARGE_BYTES));
    for (let i = 0; i < ARCHIVES; i++) await backUp(scratch, [source]);
    await scratch.stop();
    const file = join(scratch.directory, 'panel.toml');
    writeFileSync(file, scratch.file);
    const started = spawn(process.execPath, [CAIRN, 'panel', '--json', '--panel-file', file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    child = started;
    const [line] = (await once(createInterface(started.stdout), 'line')) as [string];
    const { address } = JSON.parse(line) as { address: string };
    let left = REQUESTS;
    const archives = '/api/v1/repositories/main/archives';
    const paths = [
      archives,
      `${archives}/latest/entries?path=${source}`,
      '/api/v1/audit?limit=50',
      '/api/v1/openapi.json',
      '/api/v1/key-gate',
    ];
    const take = async (path: string): Promise<number> => {
      const response = await fetch(`${address}${path}`, { headers });
      expect(response.status, path).toBe(200);
      return (await response.arrayBuffer()).byteLength;
    };
    const client = async (): Promise<void> => {
      while (left-- > 0) {
        await take(paths[left % paths.length] ?? '');
        if (left % 200 === 0) expect(await take(`${archives}/latest/file?path=${source}/large`)).toBe(LARGE_BYTES);
        if (left % 400 === 0) {
          const body = JSON.stringify({ name: 'admin', password: PASSWORD });
          const login = await fetch(`${address}/api/v1/session`, {
            method: 'POST',
            body,
            headers: { 'content-type': 'application/json' },
          });
          expect(login.status).toBe(200);
          await login.arrayBuffer();
        }
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    const peak = peakMiB(started.pid ?? 0);
    expect(peak).toBeGreaterThan(20);
    expect(peak).toBeLessThan(MOST_MIB);
  }, 300_000);
});
