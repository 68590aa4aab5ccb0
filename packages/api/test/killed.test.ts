import { systemEnvironment } from '@cairn/core';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';

import { State } from '../src/state/state.ts';
import { CAIRN, PASSWORD, ScratchPanel, type Answer } from './support/scratch-panel.ts';

/** Times that a panel is killed. */
const ROUNDS = Number(process.env['CAIRN_KILL_ROUNDS'] ?? 6);

interface Started {
  readonly child: ChildProcess;
  readonly address: string;
  readonly setup: string | undefined;
}

let scratch: ScratchPanel | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  child?.kill('SIGKILL');
  await scratch?.remove();
});

/** A panel in a process of its own, as `cairn panel` starts it. */
async function start(file: string): Promise<Started> {
  const started = spawn(process.execPath, [CAIRN, 'panel', '--json', '--panel-file', file], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child = started;
  const [line] = (await once(createInterface(started.stdout), 'line')) as [string];
  const { address, setup } = JSON.parse(line) as { address: string; setup?: string };
  return { child: started, address, setup: setup?.split('/').at(-1) };
}

async function send(address: string, method: string, path: string, body: unknown, headers = {}): Promise<Answer> {
  const response = await fetch(`${address}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: response.status, headers: response.headers, text, json };
}

describe('a panel that is killed in the middle of its work', () => {
  it('has done each act whole or not at all, and says of each that was cut off', async () => {
    scratch = await ScratchPanel.make();
    await scratch.stop();
    const file = join(scratch.directory, 'panel.toml');
    writeFileSync(file, scratch.file);

    let panel = await start(file);
    const first = await send(panel.address, 'POST', '/api/v1/setup', {
      setup: panel.setup,
      name: 'admin',
      password: PASSWORD,
    });
    expect(first.status).toBe(201);
    const [cookie = ''] = (first.headers.get('set-cookie') ?? '').split(';');
    // Sessions outlive the process: they are in the database.
    const headers = { cookie, 'x-cairn-forgery': String(first.json['forgery_token']) };
    const key = '/api/v1/repositories/main/recovery-key';
    const proof = { recovery_key: scratch.recoveryKey() };
    expect((await send(panel.address, 'POST', `${key}/saved`, proof, headers)).status).toBe(200);

    const acknowledged = new Map<string, string>();
    for (let round = 0; round < ROUNDS; round++) {
      const { address } = panel;
      const acts: Promise<void>[] = [];
      for (let i = 0; i < 12; i++) {
        const name = `account-${round}-${i}`;
        const token = `token-${round}-${i}`;
        const account = { name, password: PASSWORD, role: 'viewer' };
        acts.push(
          send(address, 'POST', '/api/v1/accounts', account, headers).then(({ status }) => {
            if (status === 201) acknowledged.set(name, 'account');
          }),
          send(address, 'POST', '/api/v1/tokens', { name: token, rights: ['self'] }, headers).then(
            ({ status, json }) => {
              if (status === 201) acknowledged.set(String(json['token']), 'token');
            },
          ),
        );
      }
      acts.push(send(address, 'POST', `${key}/export`, undefined, headers).then(() => undefined));
      const [moment = 0] = systemEnvironment.random.bytes(1);
      await Promise.race([
        Promise.allSettled(acts),
        new Promise((resolve) => void setTimeout(resolve, 10 + moment * 2)),
      ]);
      panel.child.kill('SIGKILL');
      await once(panel.child, 'exit');
      await Promise.allSettled(acts);

      panel = await start(file);
      const listed = await send(panel.address, 'GET', '/api/v1/accounts', undefined, headers);
      const names = (listed.json as unknown as { name: string }[]).map(({ name }) => name);
      for (const [what, kind] of acknowledged) {
        if (kind === 'account') expect(names).toContain(what);
        else
          expect(
            (await send(panel.address, 'GET', '/api/v1/session', undefined, { authorization: `Bearer ${what}` }))
              .status,
          ).toBe(200);
      }
      // Whatever is listed works.
      const newest = names.findLast((name) => name.startsWith(`account-${round}-`));
      if (newest !== undefined) {
        const login = await send(panel.address, 'POST', '/api/v1/session', { name: newest, password: PASSWORD });
        expect(login.status).toBe(200);
      }
      const progress = await send(panel.address, 'GET', `${key}/export`, undefined, headers);
      expect(progress.status).toBe(200);
      const status = (progress.json as { status?: string } | null)?.status;
      expect(['success', 'lost', undefined]).toContain(status);
      expect((await send(panel.address, 'GET', '/api/v1/key-gate', undefined, headers)).json['open']).toBe(true);
      const trail = await send(panel.address, 'GET', '/api/v1/audit?limit=1000', undefined, headers);
      const entries = trail.json as unknown as { act: string; status: number | null }[];
      const made = entries.filter(({ act, status: ended }) => act === 'POST /api/v1/accounts' && ended !== null).length;
      expect(made).toBeGreaterThanOrEqual([...acknowledged.values()].filter((kind) => kind === 'account').length);
    }
    panel.child.kill('SIGTERM');
    await once(panel.child, 'exit');
    using state = await State.open(join(scratch.directory, 'state'));
    expect(state.all('PRAGMA integrity_check')).toMatchObject([{ integrity_check: 'ok' }]);
    expect(acknowledged.size).toBeGreaterThan(0);
  }, 240_000);
});
