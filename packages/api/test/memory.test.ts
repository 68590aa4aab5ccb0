import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, describe, expect, it } from 'vitest';

import { CAIRN, PASSWORD, ScratchPanel } from './support/scratch-panel.ts';

/** MiB that a panel may take; its target is 200 MB, this is with margin. */
const MOST_MIB = 160;
const CLIENTS = 32;
const REQUESTS = 600;

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
  it(`stays below ${MOST_MIB} MiB with an open repository, logins and ${CLIENTS} clients`, async () => {
    scratch = await ScratchPanel.make();
    const admin = await scratch.setUp();
    await scratch.openGate(admin);
    const { headers } = await scratch.token(admin, ['archives:read', 'audit:read', 'self']);
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
    const paths = ['/api/v1/repositories', '/api/v1/audit?limit=50', '/api/v1/openapi.json', '/api/v1/key-gate'];
    const client = async (): Promise<void> => {
      while (left-- > 0) {
        const response = await fetch(`${address}${paths[left % paths.length] ?? ''}`, { headers });
        expect(response.status).toBe(200);
        await response.arrayBuffer();
        if (left % 100 === 0) {
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
  }, 120_000);
});
