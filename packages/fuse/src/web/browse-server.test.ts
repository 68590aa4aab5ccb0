import fc from 'fast-check';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ask as askAt, type Answer, type Asked } from '../../test/support/ask.ts';
import { Shelf } from '../../test/support/shelf.ts';
import { browse, type Browsing } from './browse-server.ts';
import { encoded, namesOfUrl, urlOfNames } from './paths.ts';

const CONTENT = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => (i * 7) % 253));
const EVIL = '<script>alert(1)</script>&"\'';
const LATIN = Buffer.from([0x63, 0x61, 0x66, 0xe9]);

let shelf: Shelf;
let browsing: Browsing;
/** Path of the source in URLs. */
let base: string;

const ask = async (path: string, asked?: Asked): Promise<Answer> => await askAt(browsing.port, path, asked);

beforeAll(async () => {
  shelf = await Shelf.make((directory) => {
    writeFileSync(`${directory}/large.bin`, CONTENT);
    writeFileSync(`${directory}/page.html`, '<h1>x</h1>');
    writeFileSync(`${directory}/note.txt`, 'a note');
    writeFileSync(`${directory}/${EVIL.replaceAll('/', '_')}`, 'x');
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), LATIN]), 'latin');
    mkdirSync(`${directory}/many`);
    for (let i = 0; i < 600; i++) writeFileSync(`${directory}/many/${i}`, '');
    symlinkSync('note.txt', `${directory}/neighbour`);
    symlinkSync('/etc/passwd', `${directory}/away`);
  });
  const archive = shelf.repository.archive('latest');
  const fileSystem = shelf.show({ archive });
  const onProblem = (text: string): void => void shelf.problems.push(text);
  browsing = await browse({
    fileSystem,
    host: '127.0.0.1',
    port: 0,
    hosts: ['127.0.0.1'],
    password: 'secret',
    onProblem,
  });
  base = Buffer.from(archive.descriptor.paths[0] ?? new Uint8Array()).toString();
});

afterAll(async () => {
  await browsing[Symbol.asyncDispose]();
  await shelf[Symbol.asyncDispose]();
});

describe('pages and files', () => {
  it('show directories, names as text only', async () => {
    const { status, headers, body } = await ask(`${base}/`);
    const page = body.toString();
    expect([status, headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page).not.toContain('<script>');
    expect(page).toContain('href="large.bin"');
    expect(page).toContain('href="caf%E9">caf\\xe9</a>');
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect((await ask(`${base}`)).headers['location']).toBe(`${base}/`);
    expect((await ask(`${base}/many/`)).body.toString().match(/<tr>/g)).toHaveLength(602);
  });

  it('give files whole and in parts, and never let a browser run them', async () => {
    const whole = await ask(`${base}/large.bin`);
    expect([whole.status, whole.headers['content-length'], whole.body.equals(CONTENT)]).toEqual([200, '2500000', true]);
    expect(whole.headers['content-disposition']).toBe("attachment; filename*=UTF-8''large.bin");
    const part = await ask(`${base}/large.bin`, { headers: { Range: 'bytes=1048570-1148569' } });
    expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1048570-1148569/2500000']);
    expect(part.body.equals(CONTENT.subarray(1_048_570, 1_148_570))).toBe(true);
    expect((await ask(`${base}/large.bin`, { headers: { Range: 'bytes=-5' } })).body.equals(CONTENT.subarray(-5))).toBe(
      true,
    );
    expect((await ask(`${base}/large.bin`, { headers: { Range: 'bytes=2500000-' } })).status).toBe(416);
    const tag = String(whole.headers['etag']);
    expect((await ask(`${base}/large.bin`, { headers: { 'If-None-Match': tag } })).status).toBe(304);
    const other = await ask(`${base}/large.bin`, { headers: { Range: 'bytes=0-1', 'If-Range': '"other"' } });
    expect([other.status, other.body.length]).toEqual([200, CONTENT.length]);
    const head = await ask(`${base}/large.bin`, { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '2500000', 0]);
    const page = await ask(`${base}/page.html`);
    expect(page.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
    expect((await ask(`${base}/caf%E9`)).body.toString()).toBe('latin');
  });

  it('follow a link to a neighbour, and no other', async () => {
    expect((await ask(`${base}/neighbour`)).headers['location']).toBe(`${base}/note.txt`);
    const away = await ask(`${base}/away`);
    expect([away.status, away.body.toString()]).toEqual([404, 'This is a link to /etc/passwd.\n']);
  });

  it('know no way around: dots, double slashes, escapes', async () => {
    for (const path of [
      '/../etc/passwd',
      '/%2e%2e/etc/passwd',
      '//etc/passwd',
      `${base}/..%2f..%2fetc/passwd`,
      `${base}/%00`,
      '/%zz',
      '/%',
    ]) {
      expect([path, (await ask(path)).status]).toEqual([path, 400]);
    }
    expect((await ask(`${base}/note.txt/x`)).status).toBe(404);
    expect((await ask('/etc/passwd')).status).toBe(404);
  });

  it('refuse whoever has no password, another host name, and every change', async () => {
    expect((await ask('/', { headers: { Authorization: '' } })).status).toBe(401);
    expect(
      (await ask('/', { headers: { Authorization: `Basic ${Buffer.from('any:other').toString('base64')}` } })).status,
    ).toBe(401);
    expect((await ask('/', { headers: { Host: 'evil.example' } })).status).toBe(421);
    for (const method of ['PUT', 'DELETE', 'POST', 'MKCOL', 'MOVE', 'COPY', 'PROPPATCH', 'LOCK']) {
      expect([method, (await ask(`${base}/note.txt`, { method, body: 'x' })).status]).toEqual([method, 405]);
    }
    expect((await ask(`${base}/note.txt`)).body.toString()).toBe('a note');
  });
});

describe('WebDAV', () => {
  it('says what it is', async () => {
    const { headers } = await ask('/', { method: 'OPTIONS' });
    expect([headers['dav'], headers['allow']]).toEqual(['1', 'OPTIONS, GET, HEAD, PROPFIND']);
  });

  it('lists one level, with escaped names that lead back', async () => {
    const { status, body } = await ask(`${base}/`, { method: 'PROPFIND', headers: { Depth: '1' } });
    const text = body.toString();
    expect(status).toBe(207);
    const hrefs = [...text.matchAll(/<D:href>([^<]*)<\/D:href>/g)].map(([, href = '']) => href);
    expect(hrefs).toHaveLength(9);
    expect(hrefs).toContain(`${base}/many/`);
    for (const href of hrefs) expect([href, (await ask(href, { method: 'HEAD' })).status < 405]).toEqual([href, true]);
    expect(text).toContain('<D:getcontentlength>2500000</D:getcontentlength>');
    const own = await ask(`${base}/`, { method: 'PROPFIND', headers: { Depth: '0' } });
    expect(own.body.toString().match(/<D:response>/g)).toHaveLength(1);
    expect((await ask(`${base}/`, { method: 'PROPFIND' })).body.toString()).toContain('propfind-finite-depth');
  });

  it('gives the properties that are asked for, and says which it does not have', async () => {
    const body =
      '<?xml version="1.0"?><a:propfind xmlns:a="DAV:" xmlns:q="http://q.example/"><a:prop><a:getcontentlength/><q:quota/></a:prop></a:propfind>';
    const { body: answer } = await ask(`${base}/note.txt`, { method: 'PROPFIND', headers: { Depth: '0' }, body });
    expect(answer.toString()).toContain(
      '<D:prop><D:getcontentlength>6</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK',
    );
    expect(answer.toString()).toContain(
      '<x:quota xmlns:x="http://q.example/"/></D:prop><D:status>HTTP/1.1 404 Not Found',
    );
    for (const bad of ['<!DOCTYPE x [<!ENTITY e "x">]><propfind/>', 'nonsense', `<propfind>${' '.repeat(70_000)}`]) {
      const refused = await ask(`${base}/`, { method: 'PROPFIND', headers: { Depth: '0' }, body: bad });
      expect(refused.status).toBe(400);
    }
  });
});

describe('a whole repository', () => {
  it('leads through the newest archive of a series by the name `latest`, as a directory', async () => {
    const { repository } = shelf;
    const all = { archives: () => repository.archives(), refresh: async () => await repository.access.log.refresh() };
    const onProblem = (text: string): void => void shelf.problems.push(text);
    await using whole = await browse({
      fileSystem: shelf.show({ all }),
      host: '127.0.0.1',
      port: 0,
      hosts: ['127.0.0.1'],
      password: 'secret',
      onProblem,
    });
    const get = async (path: string, asked?: Asked): Promise<Answer> => await askAt(whole.port, path, asked);
    expect((await get(`/home/latest${base}/note.txt`)).body.toString()).toBe('a note');
    expect((await get('/home/')).body.toString()).toContain('href="latest/"');
    expect((await get('/home/latest')).headers['location']).toBe('/home/latest/');
    const listed = (await get('/home/', { method: 'PROPFIND', headers: { Depth: '1' } })).body.toString();
    expect(listed.match(/<D:collection\/>/g)).toHaveLength(3);
    expect(listed).toContain('<D:href>/home/latest/</D:href>');
    // Links of the archive are what they were.
    expect((await get(`/home/latest${base}/away`)).status).toBe(404);
    expect((await get(`/home/latest${base}/away/passwd`)).status).toBe(404);
  });
});

describe('paths of any names', () => {
  it('lead back to them', () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    const names = fc.array(
      name.filter((one) => !/[/\0]/.test(one) && one !== '.' && one !== '..'),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(names, fc.boolean(), (path, isDirectory) => {
        const url = urlOfNames(path, isDirectory);
        expect(namesOfUrl(url === '' ? '/' : url)).toEqual(path);
        expect(url).toMatch(/^[\w./~%-]*$/);
      }),
    );
    expect(encoded('a b')).toBe('a%20b');
  });
});
