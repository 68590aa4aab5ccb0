import { systemEnvironment } from '@cairn/core';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { startPanelProcess, type PanelProcess } from './support/panel-process.ts';
import { PASSWORD, ScratchPanel, type Caller } from './support/scratch-panel.ts';
import { backUp, openBeside } from './support/stock.ts';

/** Times that a panel is killed. */
const ROUNDS = Number(process.env['CAIRN_KILL_ROUNDS'] ?? 2);
/** Milliseconds after which it is, at most: less than the acts of a round take together. */
const MOST_MS = 300;
const BASE = '/api/v1/repositories/main';
const OTHER_PASSWORD = 'another fine password';

interface Asked {
  readonly status: number;
  readonly json: Record<string, unknown>;
}

/** Something that is asked for, and how one sees that it was done. */
interface Act {
  readonly what: string;
  readonly ask: () => Promise<Asked>;
  readonly isDone: () => Promise<boolean>;
}

let scratch: ScratchPanel | undefined;
let panel: PanelProcess | undefined;

afterEach(async () => {
  await panel?.kill();
  await scratch?.remove();
});

async function ask({ headers }: Caller, method: string, path: string, body?: unknown): Promise<Asked> {
  const response = await fetch(`${panel?.address}${path}`, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, json: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

/** Acts on archives of their own, accounts of their own, and runs. */
function actsOf(round: number, admin: Caller, tokens: readonly Caller[], archives: readonly string[]): Act[] {
  const [deleted = '', restored = '', changed = ''] = archives.slice(3 * round);
  const account = `account-${round}`;
  const token = tokens[round] ?? admin;
  const idsOf = async (state: string): Promise<string[]> => {
    const { json } = await ask(admin, 'GET', `${BASE}/archives?state=${state}`);
    return (json['archives'] as { id: string }[]).map(({ id }) => id);
  };
  return [
    {
      what: 'delete',
      ask: () => ask(admin, 'POST', `${BASE}/delete`, { archives: [deleted] }),
      isDone: async () => (await idsOf('deleted')).includes(deleted),
    },
    {
      what: 'undelete',
      ask: () => ask(admin, 'POST', `${BASE}/undelete`, { archives: [restored] }),
      isDone: async () => (await idsOf('live')).includes(restored),
    },
    {
      what: 'change',
      ask: () =>
        ask(admin, 'PATCH', `${BASE}/archives/${changed}`, { comment: 'all', tags: { add: ['of'] }, protected: true }),
      isDone: async () => {
        const { json } = await ask(admin, 'GET', `${BASE}/archives/${changed}`);
        const parts = [json['comment'] === 'all', String(json['tags']) === 'of', json['protected'] === true];
        // Nothing by halves.
        expect(new Set(parts).size).toBe(1);
        return parts.every(Boolean);
      },
    },
    {
      what: 'role',
      ask: () => ask(admin, 'PATCH', `/api/v1/accounts/${account}`, { role: 'operator' }),
      isDone: async () => (await ask(admin, 'GET', `/api/v1/accounts/${account}`)).json['role'] === 'operator',
    },
    {
      what: 'password',
      ask: () => ask(admin, 'PUT', `/api/v1/accounts/${account}/password`, { new_password: OTHER_PASSWORD }),
      isDone: async () => {
        const login = { name: account, password: OTHER_PASSWORD };
        return (await ask({ headers: {} }, 'POST', '/api/v1/session', login)).status === 200;
      },
    },
    {
      what: 'token',
      ask: async () => {
        const { json } = await ask(admin, 'GET', '/api/v1/tokens');
        const found = (json as unknown as { id: string; name: string }[]).find(({ name }) => name === `token-${round}`);
        return await ask(admin, 'DELETE', `/api/v1/tokens/${found?.id ?? 'none'}`);
      },
      isDone: async () => (await ask(token, 'GET', '/api/v1/session')).status === 401,
    },
    ...(
      [
        ['check', `${BASE}/check`, { percent: 100 }, 'panel-check-main'],
        ['run', '/api/v1/runs', { job: 'nightly' }, 'nightly'],
      ] as const
    ).map(([what, path, body, job]): Act => ({
      what,
      ask: () => ask(admin, 'POST', path, body),
      isDone: async () => {
        const { json } = await ask(admin, 'GET', `/api/v1/runs?job=${job}`);
        return (json['runs'] as unknown[]).length > 0;
      },
    })),
  ];
}

/** Waits until every run there is has ended, and gives how. */
async function endsOfRuns(admin: Caller): Promise<string[]> {
  for (;;) {
    const { json } = await ask(admin, 'GET', '/api/v1/runs?limit=500');
    const statuses = (json['runs'] as { status: string }[]).map(({ status }) => status);
    if (!statuses.includes('running')) return statuses;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a panel that is killed in the midst of whatever it was asked for', () => {
  it('has done each act whole or not at all, what it said is so, and all can be asked for again', async () => {
    const place = await ScratchPanel.make();
    scratch = place;
    const source = join(place.directory, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content');
    mkdirSync(join(place.directory, 'jobs'));
    writeFileSync(
      join(place.directory, 'jobs/nightly.toml'),
      `[repository]\naddress = "${join(place.directory, 'main')}"\nkey-file = "${join(place.directory, 'main.key')}"\n` +
        `[backup]\nseries = "nightly"\nsources = ["${source}"]\n`,
    );
    const archives: string[] = [];
    for (let i = 0; i < 3 * ROUNDS; i++) archives.push((await backUp(place, [source])).id);
    const admin = await place.setUp();
    await place.openGate(admin);
    const tokens: Caller[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const body = { name: `account-${round}`, password: PASSWORD, role: 'viewer' };
      await place.good(admin, 'POST', '/api/v1/accounts', { body });
      await place.good(admin, 'POST', `${BASE}/delete`, { body: { archives: [archives[3 * round + 1]] } });
      tokens.push(await place.token(admin, ['self'], { name: `token-${round}` }));
    }
    await place.stop();
    const file = join(place.directory, 'panel.toml');
    writeFileSync(file, place.file);

    for (let round = 0; round < ROUNDS; round++) {
      panel = await startPanelProcess(file);
      const acts = actsOf(round, admin, tokens, archives);
      const acknowledged = new Map<Act, Asked['json']>();
      const asked = acts.map(async (act) => {
        try {
          const { status, json } = await act.ask();
          if (status < 300) acknowledged.set(act, json);
        } catch {
          // Cut off: whether it was done is what is looked at.
        }
      });
      const [moment = 0] = systemEnvironment.random.bytes(1);
      await new Promise((resolve) => setTimeout(resolve, (moment * MOST_MS) / 255));
      await panel.kill();
      await Promise.all(asked);

      panel = await startPanelProcess(file);
      for (const act of acts) {
        const isDone = await act.isDone();
        if (acknowledged.has(act)) expect([act.what, isDone]).toEqual([act.what, true]);
      }
      for (const [{ what }, { id }] of acknowledged) {
        if (what !== 'check' && what !== 'run') continue;
        expect([what, (await ask(admin, 'GET', `/api/v1/runs/${String(id)}`)).status]).toEqual([what, 200]);
      }
      expect(new Set([...(await endsOfRuns(admin)), 'success'])).toEqual(new Set(['success']));
      for (const act of acts) {
        const { status } = await act.ask();
        // Done before: there is nothing left to be deleted, brought back, or revoked.
        expect([act.what, status < 300 || status === 404]).toEqual([act.what, true]);
        expect([act.what, await act.isDone()]).toEqual([act.what, true]);
      }
      expect(new Set(await endsOfRuns(admin))).toEqual(new Set(['success']));
      await panel.kill();
    }
    const beside = await openBeside(place);
    expect((await beside.check()).errors).toBe(0);
    await beside.close();
  }, 120_000);
});
