import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';

import { ARCHIVE_PAGE, ENTRY_PAGE, type DIFFERENCES, type SEARCH_RESULT } from '../src/archives/archive-schemas.ts';
import { NOBODY, ScratchPanel, type Visitor } from './support/scratch-panel.ts';
import { backUp, LATIN, makeTree, openBeside } from './support/stock.ts';

type ArchivePage = z.output<typeof ARCHIVE_PAGE>;
type EntryPage = z.output<typeof ENTRY_PAGE>;

const BASE = '/api/v1/repositories/main';

let panel: ScratchPanel;
let admin: Visitor;
let root: string;

async function archives(query = ''): Promise<ArchivePage> {
  return ARCHIVE_PAGE.parse(await panel.good(admin, 'GET', `${BASE}/archives${query}`));
}

async function entries(path: string, query = '', archive = 'web@latest'): Promise<EntryPage> {
  const asked = `${BASE}/archives/${archive}/entries?path=${encodeURIComponent(path)}${query}`;
  return ENTRY_PAGE.parse(await panel.good(admin, 'GET', asked));
}

const names = ({ archives: listed }: ArchivePage): string[] => listed.map(({ name }) => name);
const namesIn = ({ entries: listed }: EntryPage): string[] =>
  listed.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));

beforeAll(async () => {
  panel = await ScratchPanel.make({ repositories: ['main', 'other'] });
  root = makeTree(panel);
  mkdirSync(join(root, 'many'));
  for (let i = 0; i < 1_200; i++) writeFileSync(join(root, 'many', `file-${i}`), 'x'.repeat(i % 7));
  await backUp(panel, [root]);
  writeFileSync(join(root, 'etc/fresh'), 'fresh');
  await backUp(panel, [root]);
  await backUp(panel, [join(root, 'etc')], 'mail');
  admin = await panel.setUp();
});

afterAll(() => panel.remove());

describe('while the gate is closed', () => {
  it('nothing of archives is told', async () => {
    for (const path of [
      'archives',
      'archives/latest',
      'archives/latest/entries',
      'archives/latest/file?path=/x',
      'search?pattern=x',
    ]) {
      expect([path, (await panel.ask(admin, 'GET', `${BASE}/${path}`)).status]).toEqual([path, 423]);
    }
    await panel.openGate(admin);
  });
});

describe('the listing', () => {
  it('has each archive with its figures and what retention says of it, the newest first', async () => {
    const page = await archives();
    expect(page.total).toBe(3);
    expect(page.archives.map(({ series }) => series)).toEqual(['mail', 'web', 'web']);
    const [, newest, oldest] = page.archives;
    expect(oldest?.stats?.new_bytes).toBeGreaterThan(newest?.stats?.new_bytes ?? 0);
    const took = Date.parse(newest?.ended ?? '') - Date.parse(newest?.started ?? '');
    // The times have nanoseconds, and `Date.parse` cuts them off.
    expect(Math.abs((newest?.duration_ms ?? 0) - took)).toBeLessThanOrEqual(1);
    expect(newest?.retention).toMatchObject({
      keep: true,
      reasons: ['daily 1/7'],
      policy: '7 daily, 8 weekly, 4 monthly',
    });
    // Both are of one day: the rule takes the newer one, and the older one in place of days that are not there yet.
    expect(oldest?.retention).toMatchObject({ keep: true, reasons: ['daily[oldest] 2/7'] });
  });

  it('comes in pages, sorted and filtered', async () => {
    const all = names(await archives('?sort=name&order=ascending'));
    expect(all).toEqual(all.toSorted());
    expect(names(await archives('?sort=name&order=ascending&limit=1&offset=1'))).toEqual([all[1]]);
    expect(names(await archives('?offset=3'))).toEqual([]);
    expect((await archives('?series=mail')).total).toBe(1);
    expect((await archives('?series=none')).total).toBe(0);
    expect((await archives('?text=MAIL')).total).toBe(1);
    expect((await archives('?warnings=true')).total).toBe(0);
    expect((await archives('?sort=size')).archives[0]?.series).toBe('web');
    expect((await archives('?sort=goes&order=ascending')).total).toBe(3);
  });

  it('follows the log', async () => {
    const before = await archives();
    await backUp(panel, [join(root, 'etc')], 'mail');
    const after = await archives('?series=mail');
    expect(after.total).toBe(2);
    expect(after.log_entry).toBeGreaterThan(before.log_entry);
  });

  it('refuses what cannot be', async () => {
    for (const query of [
      '?limit=0',
      '?limit=1001',
      '?offset=-1',
      '?sort=colour',
      '?state=gone',
      '?nothing=1',
      '?limit=1e3',
    ]) {
      const { status, json } = await panel.ask(admin, 'GET', `${BASE}/archives${query}`);
      expect([query, status, json['code']]).toEqual([query, 400, 'usage']);
    }
  });
});

describe('one archive', () => {
  it('is found as the command line finds it', async () => {
    const [newest] = (await archives('?series=web')).archives;
    for (const ref of [newest?.id ?? '', newest?.name ?? '', 'web@latest', (newest?.id ?? '').slice(0, 8)]) {
      expect(await panel.good(admin, 'GET', `${BASE}/archives/${ref}`)).toMatchObject({ id: newest?.id });
    }
  });

  it('that is not there is said to be missing', async () => {
    for (const ref of ['nothing', '0'.repeat(32), '..%2f..%2fetc', '%00', 'web']) {
      const { status, json } = await panel.ask(admin, 'GET', `${BASE}/archives/${ref}/entries`);
      expect([ref, status >= 400 && status < 500, typeof json['detail']]).toEqual([ref, true, 'string']);
    }
    expect((await panel.ask(admin, 'GET', '/api/v1/repositories/none/archives')).status).toBe(404);
  });
});

describe('a directory', () => {
  it('has what the file system has, in the order of names', async () => {
    const page = await entries(`${root}/many`, '&limit=1000');
    const expected = readdirSync(join(root, 'many')).toSorted();
    expect(page.total).toBe(1_200);
    expect(namesIn(page)).toEqual(expected.slice(0, 1_000));
    expect(namesIn(await entries(`${root}/many`, '&limit=1000&offset=1000'))).toEqual(expected.slice(1_000));
    expect(namesIn(await entries(`${root}/many`, '&limit=2&order=descending'))).toEqual(
      expected.slice(-2).toReversed(),
    );
  });

  it('is sorted by size, time or type, names deciding between equals', async () => {
    const bySize = await entries(`${root}/many`, '&limit=1000&sort=size&order=descending');
    const sizes = bySize.entries.map(({ size }) => size);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes[0]).toBe(6);
    expect(namesIn(await entries(`${root}/home/ada`, '&sort=type')).slice(0, 1)).toEqual(['letters']);
    expect((await entries(`${root}/many`, '&sort=mtime&limit=5')).entries).toHaveLength(5);
  });

  it('tells links and does not follow them', async () => {
    const page = await entries(`${root}/home/ada`);
    const link = page.entries.find(({ path }) => path.endsWith('/door'));
    expect(link).toMatchObject({ type: 'symlink', target: '../adam' });
    for (const path of [`${root}/home/ada/door`, `${root}/home/ada/door/secret.txt`, `${root}/home/ada/large.bin`]) {
      const asked = `${BASE}/archives/web@latest/entries?path=${encodeURIComponent(path)}`;
      expect([path, (await panel.ask(admin, 'GET', asked)).status >= 400]).toEqual([path, true]);
    }
  });

  it('tells names that are no UTF-8 by their bytes', async () => {
    const found = (await entries(`${root}/home/ada`)).entries.find((entry) => entry.path_b64 !== undefined);
    const bytes = Buffer.from(found?.path_b64 ?? '', 'base64');
    expect(bytes).toEqual(Buffer.concat([Buffer.from(`${root}/home/ada/`), LATIN]));
    const one = `${BASE}/archives/web@latest/entry?path_b64=${encodeURIComponent(found?.path_b64 ?? '')}`;
    expect(await panel.good(admin, 'GET', one)).toMatchObject({ type: 'file', size: 5 });
  });

  it('knows no way around', async () => {
    for (const path of ['etc', '/..', '/etc/../../x', '/./etc', '/\0', '', `/${'x'.repeat(5_000)}`]) {
      const { status } = await panel.ask(
        admin,
        'GET',
        `${BASE}/archives/latest/entries?path=${encodeURIComponent(path)}`,
      );
      expect([path.slice(0, 20), status]).toEqual([path.slice(0, 20), 400]);
    }
    expect((await panel.ask(admin, 'GET', `${BASE}/archives/latest/entries?path_b64=%2`)).status).toBe(400);
    expect((await panel.ask(admin, 'GET', `${BASE}/archives/latest/entries?path=/&path_b64=Lw==`)).status).toBe(400);
    expect((await panel.ask(admin, 'GET', `${BASE}/archives/latest/entries?path=/nowhere`)).status).toBe(404);
  });
});

describe('searching', () => {
  it('finds in all archives, or some, up to a limit', async () => {
    type Result = z.output<typeof SEARCH_RESULT>;
    const find = async (query: string): Promise<Result> =>
      await panel.good<Result>(admin, 'GET', `${BASE}/search?${query}`);
    const letters = await find('pattern=*.txt&series=web');
    expect(letters.stopped).toBeUndefined();
    expect(letters.found.map(({ path }) => path.slice(root.length))).toEqual([
      '/home/ada/letters/one.txt',
      '/home/adam/secret.txt',
      '/home/ada/letters/one.txt',
      '/home/adam/secret.txt',
    ]);
    expect((await find('pattern=fresh')).found).toHaveLength(3);
    expect((await find(`pattern=*.txt&path=${encodeURIComponent(`${root}/home/adam`)}`)).found).toHaveLength(2);
    expect(await find('pattern=file-*&limit=5')).toMatchObject({ stopped: 'limit', found: expect.any(Array) });
    expect((await panel.ask(admin, 'GET', `${BASE}/search?pattern=${encodeURIComponent('re:(')}`)).status).toBe(400);
    expect((await panel.ask(admin, 'GET', `${BASE}/search`)).status).toBe(400);
  });
});

describe('comparing', () => {
  it('tells what differs', async () => {
    const [newer, older] = (await archives('?series=web')).archives;
    const asked = `${BASE}/archives/${older?.id}/diff/${newer?.id}`;
    const { changes, stopped } = await panel.good<z.output<typeof DIFFERENCES>>(admin, 'GET', asked);
    expect(stopped).toBeUndefined();
    expect(changes.filter(({ change }) => change === 'added').map(({ path }) => path)).toEqual([`${root}/etc/fresh`]);
    expect((await panel.ask(admin, 'GET', `${asked}?path=/nowhere`)).status).toBe(404);
  });
});

describe('deciding about archives', () => {
  it('deletes, brings back, protects, renames and says something about them', async () => {
    const [first] = (await archives('?series=mail&order=ascending')).archives;
    const id = first?.id ?? '';
    const act = async (path: string, body: unknown): Promise<Record<string, unknown>> =>
      await panel.good(admin, 'POST', `${BASE}/${path}`, { body });
    expect(await act('delete', { archives: [id], dry_run: true })).toMatchObject({ dry_run: true, archives: [{ id }] });
    expect((await archives('?series=mail')).total).toBe(2);
    expect(await act('delete', { archives: [id], reason: 'test' })).toMatchObject({
      dry_run: false,
      archives: [{ state: 'deleted' }],
    });
    expect((await archives('?series=mail')).total).toBe(1);
    expect((await archives('?state=deleted')).archives).toMatchObject([{ id, droppable: expect.any(String) }]);
    expect((await panel.ask(admin, 'GET', `${BASE}/archives/${id}/entries`)).status).toBe(404);
    expect(await act('undelete', { archives: [id] })).toMatchObject({ archives: [{ state: 'live' }] });
    const change = { protected: true, comment: 'before the move', tags: { add: ['keep'] }, name: 'the-move' };
    const { log_entry: before } = await archives();
    expect(await panel.good(admin, 'PATCH', `${BASE}/archives/${id}`, { body: change })).toMatchObject({
      protected: true,
      comment: 'before the move',
      tags: ['keep'],
      name: 'the-move',
    });
    // One entry of the log: a panel that is killed meanwhile has done all of it or nothing.
    expect((await archives()).log_entry).toBe(before + 1);
    expect((await archives('?tag=keep&protected=true')).archives).toMatchObject([
      { id, retention: { reasons: ['protected'] } },
    ]);
    const refused = await panel.ask(admin, 'POST', `${BASE}/delete`, { body: { archives: [id] } });
    expect(refused).toMatchObject({ status: 409, json: { code: 'archive-protected' } });
    const beside = await openBeside(panel);
    expect(beside.archive(id)).toMatchObject({ name: 'the-move', protect: true });
    await beside.close();
    await panel.good(admin, 'PATCH', `${BASE}/archives/${id}`, { body: { protected: false } });
  });

  it('is noted with who did it', async () => {
    const beside = await openBeside(panel);
    const reasons: string[] = [];
    for await (const { entry } of beside.history({ kinds: ['UNDELETE'] }))
      if (entry.kind === 'UNDELETE') reasons.push(entry.reason);
    expect(reasons).toEqual(['admin (panel)']);
    await beside.close();
    const trail = await panel.good(admin, 'GET', '/api/v1/audit');
    expect(JSON.stringify(trail)).toContain('/api/v1/repositories/{repository}/undelete');
  });

  it('is for admins', async () => {
    for (const role of ['operator', 'viewer', 'restore-own-paths'] as const) {
      const somebody = await panel.account(admin, role);
      for (const [method, path, body] of [
        ['POST', 'delete', { archives: ['latest'] }],
        ['POST', 'undelete', { archives: ['latest'] }],
        ['PATCH', 'archives/latest', { protected: true }],
      ] as const) {
        const { status } = await panel.ask(somebody, method, `${BASE}/${path}`, { body });
        expect([role, path, status]).toEqual([role, path, 403]);
      }
    }
    expect((await panel.ask(NOBODY, 'GET', `${BASE}/archives`)).status).toBe(401);
  });

  it('refuses bodies that mean nothing', async () => {
    for (const body of [
      {},
      { archives: [] },
      { archives: 'latest' },
      { archives: [1] },
      { archives: ['x'], more: 1 },
    ]) {
      expect([body, (await panel.ask(admin, 'POST', `${BASE}/delete`, { body })).status]).toEqual([body, 400]);
    }
    expect((await panel.ask(admin, 'POST', `${BASE}/delete`, { body: { archives: ['nothing'] } })).status).toBe(404);
    // Sent twice, these would mean another archive the second time.
    const [{ id = '', name = '' } = {}] = (await archives('?series=web')).archives;
    for (const ref of ['latest', 'web@latest', id.slice(0, 12), name.slice(0, -1)]) {
      const { status, json } = await panel.ask(admin, 'POST', `${BASE}/delete`, { body: { archives: [ref] } });
      expect([ref, status, ['usage', 'archive-ambiguous'].includes(String(json['code']))]).toEqual([ref, 400, true]);
    }
    expect((await panel.ask(admin, 'PATCH', `${BASE}/archives/latest`, { body: {} })).status).toBe(400);
    expect((await panel.ask(admin, 'PATCH', `${BASE}/archives/latest`, { body: { name: '../x' } })).status).toBe(400);
  });
});

describe('a plan', () => {
  it('of one repository is none of another, and is not used up by asking there', async () => {
    for (const [planned, applied] of [
      ['prune/plan', 'prune'],
      ['compact/plan', 'compact'],
    ] as const) {
      const body = planned === 'prune/plan' ? { rules: { last: 100 } } : undefined;
      const { plan } = await panel.good<{ plan: string }>(
        admin,
        'POST',
        `${BASE}/${planned}`,
        body === undefined ? {} : { body },
      );
      const elsewhere = `/api/v1/repositories/other/${applied}`;
      const refused = await panel.ask(admin, 'POST', elsewhere, { body: { plan } });
      expect(refused).toMatchObject({ status: 412, json: { code: 'plan-stale' } });
      expect((await panel.ask(admin, 'POST', `${BASE}/${applied}`, { body: { plan } })).status).toBeLessThan(300);
    }
  });
});

describe('a log with an entry that no key opens', () => {
  it('is told of with every list of archives', async () => {
    const other = await ScratchPanel.make();
    try {
      const visitor = await other.setUp();
      await other.openGate(visitor);
      const source = makeTree(other);
      await backUp(other, [source]);
      await backUp(other, [source]);
      const log = join(other.directory, 'main', 'log');
      const newest = join(log, readdirSync(log).toSorted().at(-1) ?? '');
      const bytes = readFileSync(newest);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      chmodSync(newest, 0o600);
      writeFileSync(newest, bytes);
      const page = ARCHIVE_PAGE.parse(await other.good(visitor, 'GET', `${BASE}/archives`));
      expect(page.archives).toHaveLength(1);
      expect(page.doubts?.map(({ message }) => message)).toContainEqual(expect.stringMatching(/log entry \d+/));
    } finally {
      await other.remove();
    }
  });
});
