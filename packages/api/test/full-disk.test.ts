import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { NOBODY, PASSWORD, ScratchPanel } from './support/scratch-panel.ts';

const isRoot = process.geteuid?.() === 0;

let panel: ScratchPanel | undefined;
let mounted: string | undefined;

afterEach(async () => {
  await panel?.stop();
  if (mounted !== undefined) execFileSync('umount', ['-l', mounted]);
  await panel?.remove();
  [panel, mounted] = [undefined, undefined];
});

describe.runIf(isRoot)('a panel whose disk is full', () => {
  it('says so, still shows what there is, does nothing by halves, and goes on once there is room', async () => {
    const scratch = await ScratchPanel.make();
    panel = scratch;
    await scratch.stop();
    const state = join(scratch.directory, 'state');
    rmSync(state, { recursive: true });
    mkdirSync(state);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'cairn-test', state], { stdio: 'pipe' });
    mounted = state;
    await scratch.start();
    const admin = await scratch.setUp();
    await scratch.openGate(admin);
    const ballast = join(state, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024))).toThrow('ENOSPC');

    const body = { name: 'monitor', rights: ['archives:read'] };
    let refused = await scratch.ask(admin, 'POST', '/api/v1/tokens', { body });
    let made = 0;
    // What the log of the database has room for is still taken.
    while (refused.status === 201 && made < 1_000) {
      made += 1;
      refused = await scratch.ask(admin, 'POST', '/api/v1/tokens', { body });
    }
    expect(refused).toMatchObject({ status: 507, json: { code: 'store-full' } });
    expect(refused.json['detail']).toContain('panel.db');
    const account = { name: 'ada', password: PASSWORD, role: 'viewer' };
    const login = { name: 'admin', password: PASSWORD };
    expect((await scratch.ask(admin, 'POST', '/api/v1/accounts', { body: account })).status).toBe(507);
    expect((await scratch.ask(NOBODY, 'POST', '/api/v1/session', { body: login })).status).toBe(507);
    // Late enough that it would be noted that the session was seen.
    scratch.wait(120_000);
    expect((await scratch.ask(admin, 'GET', '/api/v1/repositories')).status).toBe(200);
    expect(await scratch.good<unknown[]>(admin, 'GET', '/api/v1/tokens')).toHaveLength(made);

    rmSync(ballast);
    await scratch.good(admin, 'POST', '/api/v1/accounts', { body: account });
    expect((await scratch.login('ada')).cookie).not.toBe('');
  });
});
