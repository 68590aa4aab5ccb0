import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromUtf8 } from '@cairn/core';
import { compareTrees } from '@cairn/core/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ScratchPanel, type Visitor } from './support/scratch-panel.ts';
import { backUp, content, EVIL, LATIN, makeTree } from './support/stock.ts';

const BASE = '/api/v1/repositories/main/archives/web@latest';

let panel: ScratchPanel;
let admin: Visitor;
let root: string;

interface Downloaded {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** Rejects when the answer breaks off. */
async function download(path: string, headers: Record<string, string> = {}): Promise<Downloaded> {
  const response = await fetch(`${panel.panel.address}${path}`, { headers: { ...admin.headers, ...headers } });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
}

const fileAt = (path: string): string => `${BASE}/file?path=${encodeURIComponent(path)}`;

beforeAll(async () => {
  panel = await ScratchPanel.make();
  root = makeTree(panel);
  await backUp(panel, [root]);
  admin = await panel.setUp();
  await panel.openGate(admin);
});

afterAll(() => panel.remove());

describe('a file', () => {
  it('comes byte for byte', async () => {
    for (const name of ['large.bin', 'sparse', 'empty', 'letters/one.txt']) {
      const { status, bytes, headers } = await download(fileAt(`${root}/home/ada/${name}`));
      const expected = readFileSync(join(root, 'home/ada', name));
      expect([name, status, headers.get('content-length'), bytes.equals(expected)]).toEqual([
        name,
        200,
        String(expected.length),
        true,
      ]);
    }
    const latin = Buffer.concat([Buffer.from(`${root}/home/ada/`), LATIN]).toString('base64');
    expect((await download(`${BASE}/file?path_b64=${encodeURIComponent(latin)}`)).bytes.toString()).toBe('latin');
  });

  it('comes in parts', async () => {
    const expected = content(5_000_000);
    const path = fileAt(`${root}/home/ada/large.bin`);
    const part = await download(path, { range: 'bytes=1048570-2148569' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 1048570-2148569/5000000']);
    expect(part.bytes.equals(expected.subarray(1_048_570, 2_148_570))).toBe(true);
    expect((await download(path, { range: 'bytes=-7' })).bytes.equals(expected.subarray(-7))).toBe(true);
    expect((await download(path, { range: 'bytes=5000000-' })).status).toBe(416);
    const hole = await download(fileAt(`${root}/home/ada/sparse`), { range: 'bytes=1499998-1500007' });
    expect(hole.bytes.toString('latin1')).toBe('\0\0middle\0\0');
  });

  it('is told apart by its content', async () => {
    const path = fileAt(`${root}/home/ada/large.bin`);
    const tag = (await download(path)).headers.get('etag') ?? '';
    expect((await download(path, { 'if-none-match': tag })).status).toBe(304);
    expect((await download(path, { range: 'bytes=0-1', 'if-range': tag })).status).toBe(206);
    expect((await download(path, { range: 'bytes=0-1', 'if-range': '"other"' })).bytes).toHaveLength(5_000_000);
    expect((await download(fileAt(`${root}/home/ada/empty`))).headers.get('etag')).not.toBe(tag);
  });

  it('is never shown by a browser, and its name ends no header', async () => {
    const name = EVIL.replaceAll('/', '_');
    const { status, headers, bytes } = await download(fileAt(`${root}/home/ada/letters/${name}`));
    expect([status, bytes.toString()]).toEqual([200, 'evil name']);
    expect(headers.get('set-cookie')).toBeNull();
    expect(headers.get('content-type')).toBe('application/octet-stream');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toContain('no-store');
    const disposition = headers.get('content-disposition') ?? '';
    expect(disposition).toMatch(/^attachment; filename="[\w.+@ -]+"; filename\*=UTF-8''[\w.!~%-]+$/);
    expect(decodeURIComponent(disposition.split("UTF-8''")[1] ?? '')).toBe(name);
  });

  it('is never what a link leads to', async () => {
    for (const name of ['away', 'beside', 'door/secret.txt']) {
      const { status, bytes } = await download(fileAt(`${root}/home/ada/${name}`));
      expect([
        name,
        status >= 400 && status < 500,
        bytes.toString().includes('root:'),
        bytes.toString().includes('not for ada'),
      ]).toEqual([name, true, false, false]);
    }
    expect((await download(fileAt(`${root}/home/ada`))).status).toBe(400);
    expect((await download(fileAt(`${root}/home/ada/nothing`))).status).toBe(404);
    expect((await download(fileAt('/../../../../etc/passwd'))).status).toBe(400);
  });

  it('is noted: which one, of which archive', async () => {
    const path = `${root}/home/ada/letters/one.txt`;
    await download(fileAt(path));
    const act = encodeURIComponent('GET /api/v1/repositories/{repository}/archives/{archive}/file');
    const [newest] = await panel.good<unknown[]>(admin, 'GET', `/api/v1/audit?act=${act}&limit=1`);
    expect(newest).toMatchObject({ account: 'admin', status: 200, facts: { paths: path, bytes: 13 } });
  });
});

describe('a tar stream', () => {
  /** What GNU tar makes of it. */
  async function extracted(query: string): Promise<string> {
    const { status, headers, bytes } = await download(`${BASE}/tar${query}`);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/x-tar']);
    const target = join(panel.directory, `tar-${readdirSync(panel.directory).length}`);
    mkdirSync(target);
    execFileSync('tar', ['-x', '-p', '-f', '-', '-C', target, '--numeric-owner'], { input: bytes });
    return target;
  }

  it('of everything is what GNU tar makes the same tree of', async () => {
    const target = await extracted('');
    expect(compareTrees(fromUtf8(root), fromUtf8(join(target, root)), { ignoreRoot: true })).toEqual([]);
  });

  it('of some paths has these and what is below', async () => {
    const target = await extracted(
      `?path=${encodeURIComponent(`${root}/home/ada/letters`)}&path=${encodeURIComponent(`${root}/etc`)}`,
    );
    expect(readdirSync(join(target, root)).toSorted()).toEqual(['etc', 'home']);
    expect(readdirSync(join(target, root, 'home'))).toEqual(['ada']);
    expect(readdirSync(join(target, root, 'home/ada'))).toEqual(['letters']);
    expect(compareTrees(fromUtf8(join(root, 'etc')), fromUtf8(join(target, root, 'etc')))).toEqual([]);
  });

  it('of a path that is not there does not begin', async () => {
    const { status } = await download(`${BASE}/tar?path=${encodeURIComponent('/nowhere')}`);
    expect(status).toBe(404);
  });
});

describe('own paths', () => {
  let ada: Visitor;
  const asAda = async (path: string): Promise<{ status: number; text: string }> => await panel.ask(ada, 'GET', path);

  beforeAll(async () => {
    ada = await panel.account(admin, 'restore-own-paths', { paths: [`${root}/home/ada`] });
  });

  it('are all that is shown of an archive', async () => {
    const listed = await asAda('/api/v1/repositories/main/archives');
    expect(listed.status).toBe(200);
    expect(listed.text).not.toMatch(/"(paths|stats|comment|tags|warnings|host|user)"/);
    const home = await asAda(`${BASE}/entries?path=${encodeURIComponent(`${root}/home`)}`);
    expect(JSON.parse(home.text)).toMatchObject({ total: 1, entries: [{ path: `${root}/home/ada` }] });
    const top = await asAda(`${BASE}/entries?path=${encodeURIComponent(root)}`);
    expect(JSON.parse(top.text)).toMatchObject({ total: 1, entries: [{ path: `${root}/home` }] });
    expect((await asAda(`${BASE}/entries?path=${encodeURIComponent(`${root}/home/ada/letters`)}`)).status).toBe(200);
  });

  it('are the bound of every other read', async () => {
    const foreign = [
      `${root}/home/adam`,
      `${root}/etc`,
      `${root}/home/adam/secret.txt`,
      `${root}/etc/nothing`,
      `${root}/home/adamant`,
    ];
    for (const path of foreign) {
      const asked = encodeURIComponent(path);
      for (const what of ['entries', 'entry', 'file', 'tar', 'diff/web@latest']) {
        const { status, text } = await asAda(`${BASE}/${what}?path=${asked}`);
        expect([
          path,
          what,
          status,
          text.includes('secret.txt') && what !== 'entry' && !path.includes('secret'),
        ]).toEqual([path, what, 403, false]);
      }
      expect((await asAda(`/api/v1/repositories/main/search?pattern=*&path=${asked}`)).status).toBe(403);
    }
    expect((await asAda(`${BASE}/file?path=${encodeURIComponent(`${root}/home`)}`)).status).toBe(403);
    expect((await asAda(fileAt(`${root}/home/ada/letters/one.txt`))).text).toBe('first letter\n');
  });

  it('are all that a search, a comparison or a tar stream of everything has', async () => {
    const { found } = JSON.parse((await asAda('/api/v1/repositories/main/search?pattern=*.txt')).text) as {
      found: { path: string }[];
    };
    expect(found.map(({ path }) => path)).toEqual([`${root}/home/ada/letters/one.txt`]);
    const tar = await fetch(`${panel.panel.address}${BASE}/tar`, { headers: ada.headers });
    const names = execFileSync('tar', ['-t', '-f', '-'], { input: Buffer.from(await tar.arrayBuffer()) }).toString();
    expect(names).toContain('home/ada/letters/one.txt');
    expect(names).not.toContain('adam');
    expect(names).not.toContain('etc');
  });

  it('that an archive does not have are left out of what is asked of all of it', async () => {
    const paths = [`${root}/home/ada/letters`, `${root}/home/ada/not-yet`, '/var/www/ada'];
    const other = await panel.account(admin, 'restore-own-paths', { paths });
    const ask = async (path: string): Promise<Response> =>
      await fetch(`${panel.panel.address}${BASE}/${path}`, { headers: other.headers });
    const tar = await ask('tar');
    expect(tar.status).toBe(200);
    const names = execFileSync('tar', ['-t', '-f', '-'], { input: Buffer.from(await tar.arrayBuffer()) }).toString();
    expect(names).toContain('letters/one.txt');
    expect(await (await ask('diff/web@latest')).json()).toMatchObject({ changes: [] });
    expect((await ask(`tar?path=${encodeURIComponent(paths[1] ?? '')}`)).status).toBe(404);
    expect((await ask(`diff/web@latest?path=${encodeURIComponent(paths[1] ?? '')}`)).status).toBe(404);
    const nothing = await panel.account(admin, 'restore-own-paths', { paths: [`${root}/nothing`] });
    expect((await panel.ask(nothing, 'GET', `${BASE}/tar`)).status).toBe(404);
  });

  it('do not let one search what others wrote about archives', async () => {
    expect((await asAda('/api/v1/repositories/main/archives?text=secret')).status).toBe(403);
    expect((await asAda('/api/v1/repositories/main/archives?tag=secret')).status).toBe(403);
  });

  it('of others show no archive that has nothing of them', async () => {
    const other = await panel.account(admin, 'restore-own-paths', { paths: ['/home/nobody'] });
    expect(await panel.good(other, 'GET', '/api/v1/repositories/main/archives')).toMatchObject({ total: 0 });
    expect((await panel.ask(other, 'GET', BASE)).status).toBe(404);
  });

  it('are of no use to a viewer, who may not download', async () => {
    const viewer = await panel.account(admin, 'viewer');
    expect((await panel.ask(viewer, 'GET', fileAt(`${root}/home/ada/empty`))).status).toBe(403);
    expect((await panel.ask(viewer, 'GET', `${BASE}/tar`)).status).toBe(403);
  });
});

describe('damage', () => {
  /** What it was before is longer than the longest chunk (8 MiB): its first chunk is the same in both. */
  const grown = content(12_000_000);
  const packs = (): string[] =>
    execFileSync('find', [join(panel.directory, 'main/packs'), '-type', 'f', '-size', '+1000k'])
      .toString()
      .trim()
      .split('\n');

  /** A file that grew between two backups, and one that came: what came later is in other packs than what was there before. */
  beforeAll(async () => {
    const place = join(root, 'home/ada/growing');
    mkdirSync(place);
    writeFileSync(join(place, 'large.bin'), grown.subarray(0, 9_000_000));
    writeFileSync(join(place, 'old.txt'), 'old');
    await backUp(panel, [root]);
    const before = packs();
    writeFileSync(join(place, 'large.bin'), grown);
    writeFileSync(join(place, 'new.txt'), 'new');
    await backUp(panel, [root]);
    for (const pack of packs().filter((one) => !before.includes(one))) {
      chmodSync(pack, 0o600);
      writeFileSync(pack, readFileSync(pack).fill(0x55));
    }
    await panel.stop();
    await panel.start();
    admin = await panel.login('admin');
  });

  it('that shows at once is told as an error', async () => {
    const { status, headers, bytes } = await download(fileAt(`${root}/home/ada/growing/new.txt`));
    expect([status, headers.get('content-type')]).toEqual([500, 'application/problem+json']);
    expect(JSON.parse(bytes.toString())).toMatchObject({ code: 'corrupt' });
  });

  it('that shows later breaks a download off, and fills no gap', async () => {
    const path = fileAt(`${root}/home/ada/growing/large.bin`);
    const response = await fetch(`${panel.panel.address}${path}`, { headers: admin.headers });
    expect([response.status, response.headers.get('content-length')]).toEqual([200, String(grown.length)]);
    const parts: Uint8Array[] = [];
    const reading = async (): Promise<void> => {
      for await (const part of response.body ?? []) parts.push(part);
    };
    await expect(reading()).rejects.toThrow();
    const came = Buffer.concat(parts);
    expect(came.length).toBeLessThan(grown.length);
    expect(came.equals(grown.subarray(0, came.length))).toBe(true);
  });

  it('breaks a tar stream off, unless what is damaged may be left out', async () => {
    const query = `?path=${encodeURIComponent(`${root}/home/ada/growing/new.txt`)}&path=${encodeURIComponent(`${root}/home/ada/growing/old.txt`)}`;
    await expect(download(`${BASE}/tar${query}`)).rejects.toThrow();
    const rest = await download(`${BASE}/tar${query}&damaged=skip`);
    const names = execFileSync('tar', ['-t', '-f', '-'], { input: rest.bytes }).toString();
    expect(names).toContain('growing/old.txt');
    expect(names).not.toContain('growing/new.txt');
  });
});
