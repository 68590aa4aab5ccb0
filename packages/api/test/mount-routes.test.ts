import { freePort } from '@cairn/core/testing';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { CAIRN, ScratchPanel, type Answer, type Caller, type Visitor } from './support/scratch-panel.ts';

const isRoot = process.geteuid?.() === 0;

interface MountJson {
  readonly id: string;
  readonly directory: string;
  readonly state: string;
  readonly archive: string | null;
  readonly archive_state: string | null;
  readonly account: string | null;
}

interface ListJson {
  readonly mounts: readonly MountJson[];
  readonly cached: readonly MountJson[];
}

let panel: ScratchPanel;
let admin: Visitor;
let base: string;
let source: string;

function mountedThere(): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').filter((directory) => directory.startsWith(panel.directory));
}

const cairn = (...args: readonly string[]): string => {
  const where = ['-r', join(panel.directory, 'main'), '--key-file', join(panel.directory, 'main.key')];
  const env = { PATH: process.env['PATH'] ?? '', HOME: panel.directory };
  return execFileSync(process.execPath, [CAIRN, ...args, ...where], { encoding: 'utf8', env, stdio: 'pipe' });
};

beforeEach(async () => {
  panel = await ScratchPanel.make({ repositories: ['main', 'other'] });
  base = panel.config.mounts.directory;
  source = join(panel.directory, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'letter'), 'a letter');
  cairn('backup', source);
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterEach(async () => {
  await panel.remove();
});

const MAIN_MOUNTS = '/api/v1/repositories/main/mounts';
const mount = async (who: Caller, archive = 'latest'): Promise<Answer<MountJson>> =>
  await panel.ask<MountJson>(who, 'POST', MAIN_MOUNTS, { body: { archive } });
const list = async (who: Caller = admin): Promise<ListJson> => await panel.good<ListJson>(who, 'GET', '/api/v1/mounts');

describe.runIf(isRoot)('routes of mounts', () => {
  it('mount, list and unmount, and tell apart what retention took', async () => {
    const { status, json } = await mount(admin);
    expect([status, json.state, json.archive_state, json.account]).toEqual([201, 'mounted', 'live', 'admin']);
    expect(json.directory).toBe(join(base, 'main', json.archive ?? ''));
    expect(readFileSync(`${json.directory}${source}/letter`, 'utf8')).toBe('a letter');
    expect(await list()).toEqual({ mounts: [json], cached: [] });
    cairn('delete', json.archive ?? '');
    expect(await list()).toEqual({ mounts: [], cached: [{ ...json, archive_state: 'deleted' }] });
    expect(readFileSync(`${json.directory}${source}/letter`, 'utf8')).toBe('a letter');
    expect((await mount(admin, json.archive ?? '')).status).toBe(404);
    const path = `/api/v1/mounts/${json.id}`;
    expect((await panel.ask(admin, 'DELETE', path)).status).toBe(204);
    expect((await panel.ask(admin, 'DELETE', path)).json['code']).toBe('not-found');
    expect([await list(), mountedThere()]).toEqual([{ mounts: [], cached: [] }, []]);
    const trail = await panel.good<{ act: string; facts: Record<string, unknown> | null }[]>(
      admin,
      'GET',
      '/api/v1/audit?limit=50',
    );
    expect(trail.filter(({ act }) => /mounts/.test(act)).length).toBeGreaterThanOrEqual(4);
  });

  it('mount once what is submitted many times at once, and unmount once', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, async () => await mount(admin)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect(mountedThere()).toHaveLength(1);
    const path = `/api/v1/mounts/${answers[0]?.json.id}`;
    const ends = await Promise.all([1, 2, 3].map(async () => await panel.ask(admin, 'DELETE', path)));
    expect(ends.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(mountedThere()).toEqual([]);
  });

  it('are for those who may, and show nobody what is not theirs', async () => {
    const { json } = await mount(admin);
    const path = `/api/v1/mounts/${json.id}`;
    const viewer = await panel.account(admin, 'viewer');
    expect((await list(viewer)).mounts).toHaveLength(1);
    expect([(await mount(viewer)).status, (await panel.ask(viewer, 'DELETE', path)).status]).toEqual([403, 403]);
    const bound = await panel.account(admin, 'operator', { repositories: ['other'] });
    expect(await list(bound)).toEqual({ mounts: [], cached: [] });
    expect([(await mount(bound)).status, (await panel.ask(bound, 'DELETE', path)).status]).toEqual([404, 404]);
    const own = await panel.account(admin, 'restore-own-paths');
    expect((await panel.ask(own, 'GET', '/api/v1/mounts')).status).toBe(403);
    expect(mountedThere()).toHaveLength(1);
  });

  it('take no way around: archives, repositories and ids that are paths', async () => {
    for (const archive of ['../../etc', '/etc/passwd', '..', '--all', 'a\0b']) {
      expect([archive, (await mount(admin, archive)).status]).toEqual([archive, 404]);
    }
    for (const repository of ['..', '%2e%2e', '..%2fmain', 'absent']) {
      const { status } = await panel.ask(admin, 'POST', `/api/v1/repositories/${repository}/mounts`, {
        body: { archive: null },
      });
      expect([repository, status >= 400 && status < 500]).toEqual([repository, true]);
    }
    for (const id of ['..', '%2fetc', 'x'.repeat(16), '0'.repeat(17)]) {
      expect((await panel.ask(admin, 'DELETE', `/api/v1/mounts/${id}`)).status).toBeGreaterThanOrEqual(400);
    }
    expect(
      (await panel.ask(admin, 'POST', MAIN_MOUNTS, { body: { archive: 'latest', directory: '/etc' } })).status,
    ).toBe(400);
    expect(mountedThere()).toEqual([]);
  });
});

/** The panel as it is shipped, in a process of its own. */
class PanelProcess {
  private readonly file: string;
  private child: ChildProcess | undefined;
  readonly address: string;

  private constructor(file: string, port: number) {
    this.file = file;
    this.address = `http://127.0.0.1:${port}`;
  }

  static async make(): Promise<PanelProcess> {
    const port = await freePort();
    const file = join(panel.directory, 'panel.toml');
    writeFileSync(file, panel.file.replace('127.0.0.1:0', `127.0.0.1:${port}`));
    return new PanelProcess(file, port);
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [CAIRN, 'panel', '--panel-file', this.file], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.child = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (status) => reject(new Error(`the panel ended with ${status}`)));
    });
  }

  async kill(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async ask<T>(
    { headers }: Caller,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; json: T }> {
    const response = await fetch(`${this.address}${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: (text === '' ? undefined : JSON.parse(text)) as T };
  }
}

describe.runIf(isRoot)('a panel that is killed', () => {
  it('leaves its mounts, and knows them when it is started again; in the midst of mounting, too', async () => {
    const token = await panel.token(admin, ['mounts:read', 'mounts:change']);
    await panel.stop();
    const running = await PanelProcess.make();
    try {
      await running.start();
      const made = await running.ask<MountJson>(token, 'POST', MAIN_MOUNTS, { archive: 'latest' });
      expect([made.status, made.json.state]).toEqual([201, 'mounted']);
      await running.kill();
      expect(readFileSync(`${made.json.directory}${source}/letter`, 'utf8')).toBe('a letter');
      await running.start();
      const { json } = await running.ask<ListJson>(token, 'GET', '/api/v1/mounts');
      expect(json.mounts).toEqual([made.json]);
      expect((await running.ask(token, 'DELETE', `/api/v1/mounts/${made.json.id}`)).status).toBe(204);

      for (const afterMs of [5, 100, 300, 600]) {
        const asked = running.ask(token, 'POST', MAIN_MOUNTS, { archive: 'latest' }).catch(() => 'cut off');
        await new Promise((resolve) => setTimeout(resolve, afterMs));
        await running.kill();
        await asked;
        await running.start();
        await settled(running, token);
        const again = await running.ask<MountJson>(token, 'POST', MAIN_MOUNTS, { archive: 'latest' });
        expect([200, 201]).toContain(again.status);
        expect(mountedThere()).toEqual([again.json.directory]);
        expect((await running.ask(token, 'DELETE', `/api/v1/mounts/${again.json.id}`)).status).toBe(204);
        expect(mountedThere()).toEqual([]);
      }
    } finally {
      await running.kill();
    }
  });
});

/** Waits until nothing is being mounted any more. */
async function settled(running: PanelProcess, who: Caller): Promise<void> {
  for (;;) {
    const { json } = await running.ask<ListJson>(who, 'GET', '/api/v1/mounts');
    if (json.mounts.every(({ state }) => state === 'mounted')) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
