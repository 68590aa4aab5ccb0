import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { PASSWORD, ScratchPanel, type Answer, type Caller, type Visitor } from './support/scratch-panel.ts';
import { backUp, openBeside } from './support/stock.ts';

const BASE = '/api/v1/repositories/main';

let panel: ScratchPanel;
let admin: Visitor;
let archive: string;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  const source = join(panel.directory, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  for (let i = 0; i < 3; i++) archive = (await backUp(panel, [source])).id;
  mkdirSync(join(panel.directory, 'jobs'));
  writeFileSync(
    join(panel.directory, 'jobs/nightly.toml'),
    `[repository]\naddress = "${join(panel.directory, 'main')}"\nkey-file = "${join(panel.directory, 'main.key')}"\n` +
      `[backup]\nseries = "web"\nsources = ["${source}"]\n`,
  );
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

/** The same request four times at once: the statuses, lowest first. */
async function often(who: Caller, method: string, path: string, body?: unknown): Promise<number[]> {
  const asked = body === undefined ? {} : { body };
  const answers: Answer[] = await Promise.all([1, 2, 3, 4].map(() => panel.ask(who, method, path, asked)));
  return answers.map(({ status }) => status).toSorted((a, b) => a - b);
}

async function entriesOf(kind: 'DELETE' | 'UNDELETE' | 'ANNOTATE'): Promise<number> {
  const beside = await openBeside(panel);
  let count = 0;
  for await (const _ of beside.history({ kinds: [kind] })) count += 1;
  await beside.close();
  return count;
}

describe('what is sent several times at once', () => {
  it('decides about an archive once', async () => {
    // Whoever comes later is told that it is so already, or that there is nothing of that kind any more.
    for (const [path, kind] of [
      ['delete', 'DELETE'],
      ['undelete', 'UNDELETE'],
    ] as const) {
      const [first, ...others] = await often(admin, 'POST', `${BASE}/${path}`, { archives: [archive] });
      expect([path, first]).toEqual([path, 200]);
      for (const other of others) expect([200, 404]).toContain(other);
      expect([path, await entriesOf(kind)]).toEqual([path, 1]);
    }
    const change = { comment: 'said once', tags: { add: ['once'] }, protected: true };
    expect(await often(admin, 'PATCH', `${BASE}/archives/${archive}`, change)).toEqual([200, 200, 200, 200]);
    expect(await entriesOf('ANNOTATE')).toBe(1);
  });

  it('starts one run', async () => {
    for (const [path, body] of [
      ['/api/v1/runs', { job: 'nightly' }],
      [`${BASE}/check`, { percent: 100 }],
    ] as const) {
      const statuses = await often(admin, 'POST', path, body);
      // A short run may be over before the last one of them began.
      expect([path, statuses[0]]).toEqual([path, 202]);
      for (const status of statuses) expect([202, 409]).toContain(status);
      const { runs } = await panel.good<{ runs: { status: string; trigger: string }[] }>(admin, 'GET', '/api/v1/runs');
      expect(runs.filter(({ status }) => status === 'running').length).toBeLessThanOrEqual(1);
      await expect
        .poll(async () => {
          const now = await panel.good<{ runs: { status: string }[] }>(admin, 'GET', '/api/v1/runs');
          return new Set(now.runs.map(({ status }) => status));
        })
        .toEqual(new Set(['success']));
    }
  });

  it('changes accounts, tokens and sessions once', async () => {
    const viewer = await panel.account(admin, 'viewer');
    const { name } = await panel.good<{ name: string }>(viewer, 'GET', '/api/v1/session');
    const one = `/api/v1/accounts/${name}`;
    // Whoever is told that a password was set can log in with it: of several who change the same one, one does.
    const changed = await Promise.all(
      ['first', 'second', 'third'].map(async (text) => {
        const body = { password: PASSWORD, new_password: `the ${text} password` };
        return { text, status: (await panel.ask(viewer, 'PUT', '/api/v1/password', { body })).status };
      }),
    );
    const [winner, ...others] = changed.toSorted((a, b) => a.status - b.status);
    expect(winner?.status).toBe(204);
    for (const { status } of others) expect([403, 409]).toContain(status);
    await panel.login(name, `the ${winner?.text} password`);
    expect(await often(admin, 'PATCH', one, { role: 'operator' })).toEqual([200, 200, 200, 200]);
    await panel.token(admin, ['self']);
    const [{ id = '' } = {}] = await panel.good<{ id: string }[]>(admin, 'GET', '/api/v1/tokens');
    expect(await often(admin, 'DELETE', `/api/v1/tokens/${id}`)).toEqual([204, 404, 404, 404]);
    expect(await often(viewer, 'DELETE', '/api/v1/session')).toEqual([204, 401, 401, 401]);
    expect(await often(admin, 'DELETE', one)).toEqual([204, 404, 404, 404]);
  });
});
