import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';

import {
  type COMPACT_PLAN,
  type PENDING,
  type POLICIES,
  type PRUNE_PLAN,
  type PRUNED,
} from '../src/retention/retention-schemas.ts';
import { ScratchPanel, type Visitor } from './support/scratch-panel.ts';
import { backUp, openBeside } from './support/stock.ts';

type Plan = z.output<typeof PRUNE_PLAN>;

const BASE = '/api/v1/repositories/main';
const DAY = 86_400_000;

let panel: ScratchPanel;
let admin: Visitor;
let source: string;

const plan = async (body: unknown): Promise<Plan> =>
  await panel.good<Plan>(admin, 'POST', `${BASE}/prune/plan`, { body });

beforeAll(async () => {
  panel = await ScratchPanel.make();
  source = join(panel.directory, 'source');
  mkdirSync(source);
  for (let i = 0; i < 4; i++) {
    writeFileSync(join(source, 'file'), `content ${i}`);
    await backUp(panel, [source], 'web');
  }
  await backUp(panel, [source], 'mail');
  mkdirSync(join(panel.directory, 'jobs'));
  writeFileSync(
    join(panel.directory, 'jobs/nightly.toml'),
    `[repository]\naddress = "${join(panel.directory, 'main')}"\n[backup]\nseries = "web"\nsources = ["${source}"]\n` +
      '[prune]\nkeep-last = 2\nmax-share = "50%"\n[compact]\ngrace = "2d"\n[schedule]\ncron = "30 2 * * *"\ntime-zone = "Europe/Madrid"\n',
  );
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

describe('policies', () => {
  it('are those of jobs, and otherwise the default', async () => {
    const { series } = await panel.good<z.output<typeof POLICIES>>(admin, 'GET', `${BASE}/retention`);
    expect(series).toMatchObject([
      { series: 'mail', policy: '7 daily, 8 weekly, 4 monthly', archives: 1, kept: 1 },
      {
        series: 'web',
        policy: '2 last',
        job: 'nightly',
        rules: { last: 2 },
        time_zone: 'Europe/Madrid',
        grace_ms: 2 * DAY,
        archives: 4,
        kept: 2,
      },
    ]);
  });

  it('label each archive in the listing', async () => {
    const { archives } = await panel.good<{ archives: { retention: { reasons: string[]; goes: string } }[] }>(
      admin,
      'GET',
      `${BASE}/archives?series=web`,
    );
    expect(archives.map(({ retention }) => retention.reasons)).toEqual([['last 1/2'], ['last 2/2'], [], []]);
    // Two more backups push both out, the older one first; what nothing keeps goes with the next prune.
    const [newest = 0, second = 0, ...others] = archives.map(({ retention }) => Date.parse(retention.goes));
    expect(newest).toBeGreaterThan(second);
    expect(second).toBeGreaterThan(Math.max(...others));
    expect(Math.max(...others)).toBeLessThanOrEqual(Date.now());
  });
});

describe('a plan', () => {
  it('says of each archive why it is kept, and has a calendar', async () => {
    const { prunes } = await plan({});
    const [mail, web] = prunes.toSorted((a, b) => ((a.series[0]?.series ?? '') < (b.series[0]?.series ?? '') ? -1 : 1));
    expect(mail).toMatchObject({ dry_run: true, kept: 1, removed: 0, policy: '7 daily, 8 weekly, 4 monthly' });
    expect(web).toMatchObject({ dry_run: true, kept: 2, removed: 2, policy: '2 last', job: 'nightly', max_share: 50 });
    const days = web?.calendar[0]?.days ?? [];
    expect(days.reduce((sum, { kept }) => sum + kept, 0)).toBe(2);
    expect(days.flatMap(({ archives }) => archives)).toHaveLength(4);
    const today = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Madrid' }).format(new Date());
    expect(days.map(({ day }) => day)).toContain(today);
  });

  it('can be of other rules, which are judged', async () => {
    const { prunes } = await plan({ rules: { last: 1 }, series: ['web'], max_share: 100 });
    expect(prunes).toMatchObject([{ kept: 1, removed: 3, max_share: 100 }]);
    for (const body of [
      { rules: {} },
      { rules: { last: -2 } },
      { rules: { within: 'soon' } },
      { max_share: 50 },
      { rules: { last: 1 }, time_zone: 'Mars' },
    ]) {
      expect([body, (await panel.ask(admin, 'POST', `${BASE}/prune/plan`, { body })).status]).toEqual([body, 400]);
    }
    expect((await panel.ask(admin, 'POST', `${BASE}/prune/plan`, { body: { series: ['none'] } })).status).toBe(404);
  });

  it('that would remove too much is shown, and refused', async () => {
    for (let i = 0; i < 7; i++) await backUp(panel, [source], 'bulk');
    const asked = { rules: { last: 1 }, series: ['bulk'] };
    const { plan: id, prunes } = await plan(asked);
    expect(prunes).toMatchObject([{ removed: 6, series: [{ exceeds: true }] }]);
    const refused = await panel.ask(admin, 'POST', `${BASE}/prune`, { body: { plan: id } });
    expect(refused).toMatchObject({ status: 409, json: { code: 'share-exceeded' } });
    expect((await plan({ ...asked, max_share: 100 })).prunes).toMatchObject([{ series: [{ exceeds: false }] }]);
  });

  it('is carried out once, however many ask at the same time', async () => {
    const { plan: id } = await plan({ series: ['web'] });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => panel.ask(admin, 'POST', `${BASE}/prune`, { body: { plan: id } })),
    );
    const [done, ...others] = answers.toSorted((a, b) => a.status - b.status);
    expect(done).toMatchObject({ status: 200, json: { prunes: [{ dry_run: false, removed: 2 }] } });
    for (const other of others) expect(other).toMatchObject({ status: 412, json: { code: 'plan-stale' } });
    const beside = await openBeside(panel);
    expect(beside.archives({ series: 'web' })).toHaveLength(2);
    expect(beside.archives({ series: 'web', deleted: 'only' })).toHaveLength(2);
    let deletions = 0;
    for await (const _ of beside.history({ kinds: ['DELETE'] })) deletions += 1;
    expect(deletions).toBe(1);
    await beside.close();
  });

  it('is stale when an archive of it was protected since, when it is old, and when there never was one', async () => {
    await backUp(panel, [source], 'web');
    const { plan: id, prunes } = await plan({ series: ['web'] });
    const going = prunes[0]?.series[0]?.archives.find(({ keep }) => !keep);
    await panel.good(admin, 'PATCH', `${BASE}/archives/${going?.id}`, { body: { protected: true } });
    const stale = await panel.ask(admin, 'POST', `${BASE}/prune`, { body: { plan: id } });
    expect(stale).toMatchObject({ status: 412, json: { code: 'plan-stale' } });
    await panel.good(admin, 'PATCH', `${BASE}/archives/${going?.id}`, { body: { protected: false } });
    const { plan: old } = await plan({ series: ['web'] });
    panel.wait(16 * 60_000);
    expect((await panel.ask(admin, 'POST', `${BASE}/prune`, { body: { plan: old } })).status).toBe(412);
    expect((await panel.ask(admin, 'POST', `${BASE}/prune`, { body: { plan: 'f'.repeat(32) } })).status).toBe(412);
  });
});

describe('pending deletions', () => {
  it('say when each may go, and when its space is free', async () => {
    const { archives, grace_ms: grace } = await panel.good<z.output<typeof PENDING>>(admin, 'GET', `${BASE}/pending`);
    expect(grace).toBe(2 * DAY);
    expect(archives).toHaveLength(2);
    for (const { deleted, droppable, space_from: space, held_by: held } of archives) {
      expect(Date.parse(droppable ?? '') - Date.parse(deleted ?? '')).toBe(2 * DAY);
      expect(Date.parse(space ?? '') - Date.parse(deleted ?? '')).toBe(4 * DAY);
      expect(held).toBe('grace');
    }
  });

  it('that are brought back make a plan of a compact stale', async () => {
    panel.wait(3 * DAY);
    admin = await panel.login('admin');
    const asked = async (): Promise<z.output<typeof COMPACT_PLAN>> =>
      await panel.good(admin, 'POST', `${BASE}/compact/plan`);
    const { plan: id, archives } = await asked();
    expect(archives.map(({ held_by: held }) => held)).toEqual([undefined, undefined]);
    await panel.good(admin, 'POST', `${BASE}/undelete`, { body: { archives: [archives[0]?.id] } });
    const stale = await panel.ask(admin, 'POST', `${BASE}/compact`, { body: { plan: id } });
    expect(stale).toMatchObject({ status: 412, json: { code: 'plan-stale' } });
    expect((await asked()).archives).toHaveLength(1);
    expect((await panel.ask(admin, 'POST', `${BASE}/compact`, { body: { plan: 'x' } })).status).toBe(412);
    await panel.good(admin, 'POST', `${BASE}/delete`, { body: { archives: [archives[0]?.id] } });
  });
});

describe('rights', () => {
  it('let operators look, and admins act', async () => {
    const operator = await panel.account(admin, 'operator');
    const own = await panel.account(admin, 'restore-own-paths');
    expect((await panel.ask(operator, 'GET', `${BASE}/pending`)).status).toBe(200);
    const body = { series: ['web'] };
    const { plan: id } = await panel.good<Plan>(operator, 'POST', `${BASE}/prune/plan`, { body });
    expect((await panel.ask(operator, 'POST', `${BASE}/prune`, { body: { plan: id } })).status).toBe(403);
    const pruned = await panel.good<z.output<typeof PRUNED>>(admin, 'POST', `${BASE}/prune`, { body: { plan: id } });
    expect(pruned.prunes.reduce((sum, { removed }) => sum + removed, 0)).toBe(1);
    for (const path of ['retention', 'pending'])
      expect((await panel.ask(own, 'GET', `${BASE}/${path}`)).status).toBe(403);
    expect((await panel.ask(own, 'POST', `${BASE}/prune/plan`, { body: {} })).status).toBe(403);
  });
});
