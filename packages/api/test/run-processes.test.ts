import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ScratchPanel, type Visitor } from './support/scratch-panel.ts';
import { openBeside } from './support/stock.ts';

interface Run {
  readonly id: string;
  readonly status: string;
  readonly archive?: string;
  readonly figures: Readonly<Record<string, number>>;
}

const BASE = '/api/v1/repositories/main';

let panel: ScratchPanel;
let admin: Visitor;
/** A job's hook waits until this file is there. */
let gate: string;

const run = async (id: string): Promise<Run> => await panel.good<Run>(admin, 'GET', `/api/v1/runs/${id}`);

async function ended(id: string): Promise<Run> {
  for (;;) {
    const now = await run(id);
    if (now.status !== 'running') return now;
    await wait(50);
  }
}

async function start(job: string): Promise<Run> {
  return await panel.good<Run>(admin, 'POST', '/api/v1/runs', { body: { job } });
}

function writeJob(name: string, tables: string): void {
  const repository = `[repository]\naddress = "${join(panel.directory, 'main')}"\nkey-file = "${join(panel.directory, 'main.key')}"\n`;
  writeFileSync(join(panel.directory, 'jobs', `${name}.toml`), `${repository}${tables}`);
}

beforeAll(async () => {
  panel = await ScratchPanel.make();
  gate = join(panel.directory, 'go-on');
  mkdirSync(join(panel.directory, 'jobs'));
  mkdirSync(join(panel.directory, 'source'));
  writeFileSync(join(panel.directory, 'source/file'), 'content');
  const script = join(panel.directory, 'wait.sh');
  writeFileSync(script, `#!/bin/sh\nwhile [ ! -e "${gate}" ]; do sleep 0.05; done\n`);
  chmodSync(script, 0o755);
  const backup = `[backup]\nseries = "web"\nsources = ["${join(panel.directory, 'source')}"]\n`;
  writeJob('nightly', backup);
  writeJob('waiting', `${backup}[[hooks]]\nwhen = "before"\ncommand = ["${script}"]\n`);
  writeJob('wrong', '[nothing]\n');
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

describe('a run that the panel starts', () => {
  it('does the work of its job, and says what came of it', async () => {
    const { id, status } = await start('nightly');
    expect(status).toMatch(/^(running|success)$/);
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'success', trigger: 'api', job: 'nightly' });
    const beside = await openBeside(panel);
    expect(beside.archives({ series: 'web' }).map(({ name }) => name)).toEqual([done.archive]);
    await beside.close();
    const { archives } = await panel.good<{ archives: { name: string }[] }>(admin, 'GET', `${BASE}/archives`);
    expect(archives.map(({ name }) => name)).toEqual([done.archive]);
  });

  it('is the only one of its job, goes on without the panel, and is followed by the next one', async () => {
    const { id } = await start('waiting');
    const second = await panel.ask(admin, 'POST', '/api/v1/runs', { body: { job: 'waiting' } });
    expect(second).toMatchObject({ status: 409, json: { code: 'job-busy', details: { run: id } } });
    await panel.stop();
    await panel.start();
    admin = await panel.login('admin');
    expect(await run(id)).toMatchObject({ status: 'running' });
    writeFileSync(gate, '');
    expect(await ended(id)).toMatchObject({ status: 'success' });
  });

  it('is cancelled on request, by whoever may', async () => {
    rmSync(gate, { force: true });
    const { id } = await start('waiting');
    const viewer = await panel.account(admin, 'viewer');
    expect((await panel.ask(viewer, 'POST', `/api/v1/runs/${id}/cancel`)).status).toBe(403);
    expect((await panel.ask(admin, 'POST', `/api/v1/runs/${id}/cancel`)).status).toBe(202);
    expect(await ended(id)).toMatchObject({ status: 'cancelled' });
    expect((await panel.ask(admin, 'POST', `/api/v1/runs/${id}/cancel`)).status).toBe(409);
  });

  it('that cannot begin says why', async () => {
    const { status, json } = await panel.ask(admin, 'POST', '/api/v1/runs', { body: { job: 'wrong' } });
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: 'usage', detail: expect.stringContaining('wrong.toml') });
  });
});

describe('acts on a repository', () => {
  it('check it as a run', async () => {
    const { id } = await panel.good<Run>(admin, 'POST', `${BASE}/check`, { body: { percent: 100 } });
    expect(await ended(id)).toMatchObject({ status: 'success', figures: { check_errors: 0 } });
    expect((await panel.ask(admin, 'POST', `${BASE}/check`, { body: { percent: 1, seconds: 1 } })).status).toBe(400);
    expect((await panel.ask(admin, 'POST', '/api/v1/repositories/none/check', { body: {} })).status).toBe(404);
  });

  it('compact it as a run, by a plan that is carried out once', async () => {
    const { plan } = await panel.good<{ plan: string }>(admin, 'POST', `${BASE}/compact/plan`);
    const answers = await Promise.all(
      [1, 2].map(() => panel.ask(admin, 'POST', `${BASE}/compact`, { body: { plan } })),
    );
    expect(answers.map(({ status }) => status).toSorted()).toEqual([202, 412]);
    const { id } = (answers.find(({ status }) => status === 202)?.json ?? {}) as unknown as Run;
    expect(await ended(id)).toMatchObject({ status: 'success', job: 'panel-compact-main' });
  });
});
