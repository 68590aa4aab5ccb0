import { CairnError, openHttpStore, openSshStore } from '@cairn/core';
import { logName } from '@cairn/core/server';
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect, createServer as createTcp, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { listenWith, makeCertificate, type TestCertificate } from './support/certificate.ts';
import type { RunningServer } from '../dist/server.js';
import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';

const CONFIG = { kind: 'config', name: 'config' } as const;

describe('whom a client trusts', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-tls-'));
  let place: ServerPlace;
  let certificate: TestCertificate;
  let address: string;
  let token: string;

  beforeAll(async () => {
    certificate = makeCertificate(directory);
    const { files } = certificate;
    place = await ServerPlace.create({
      listen: listenWith(files),
    });
    await Forger.create(place.repositoryPath);
    ({ address } = await place.start());
    token = await place.token('reader', 'read');
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const read = async (more: { ca?: string; fingerprint?: string }, at = address): Promise<number> => {
    const store = openHttpStore({ address: at, token, ...more });
    try {
      return (await store.get(CONFIG)).length;
    } finally {
      await store[Symbol.asyncDispose]();
    }
  };

  it('is who a given authority signed, for that name', async () => {
    expect(await read({ ca: certificate.ca })).toBe(100);
    expect(await read({ ca: certificate.ca }, address.replace('127.0.0.1', 'localhost'))).toBe(100);
    const other = address.replace('127.0.0.1', '127.0.0.2');
    // Nobody listens there, or the name is wrong: never an answer.
    await expect(read({ ca: certificate.ca }, other)).rejects.toThrow();
  });

  it('is who has the pinned certificate, and nobody else', async () => {
    const fingerprint = new X509Certificate(certificate.certificate).fingerprint256;
    expect(await read({ fingerprint })).toBe(100);
    expect(await read({ fingerprint: fingerprint.replaceAll(':', '').toLowerCase() })).toBe(100);
    const wrong = { fingerprint: '0'.repeat(64), ca: certificate.ca };
    await expect(read(wrong)).rejects.toMatchObject({ code: 'STORE_UNTRUSTED' });
  });

  it('is not just anybody', async () => {
    await expect(read({})).rejects.toMatchObject({ code: 'STORE_UNTRUSTED' });
  });

  it('gets the token by TLS or on this machine only, and never in an address', () => {
    for (const bad of [
      'http://backup.example.org',
      'https://user:secret@backup.example.org',
      'https://backup.example.org/?token=x',
      'ftp://backup.example.org',
      'nothing',
    ]) {
      expect(() => openHttpStore({ address: bad, token })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
    expect(() => openHttpStore({ address, token: 'two words' })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    for (const bad of [
      'ssh://-oProxyCommand=x',
      'ssh://-l@host',
      'ssh://user:secret@host',
      'ssh://host:99999999',
      'ssh://',
    ]) {
      expect(() => openSshStore({ address: bad })).toThrow(expect.objectContaining({ code: 'USAGE' }));
    }
  });
});

describe('a server with a certificate', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cairn-tls-'));
  let place: ServerPlace;
  let certificate: TestCertificate;
  let server: RunningServer;
  let token: string;

  beforeAll(async () => {
    certificate = makeCertificate(directory);
    const { files } = certificate;
    place = await ServerPlace.create({
      listen: listenWith(files),
    });
    await Forger.create(place.repositoryPath);
    server = await place.start({ certificateLookMs: 20 });
    token = await place.token('admin', 'maintain');
  });
  afterAll(async () => {
    await place[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  /** By HTTP/1.1, as other programs do. */
  async function ask(
    method: string,
    path: string,
    body?: Buffer,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number | undefined; body: Buffer; headers: IncomingHttpHeaders }> {
    const sent = requestHttps(`${server.address}${path}`, {
      method,
      ca: certificate.ca,
      headers: { authorization: `Bearer ${token}`, ...headers },
      agent: false,
    });
    sent.end(body);
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    const parts: Buffer[] = [];
    for await (const part of answer) parts.push(part as Buffer);
    return { status: answer.statusCode, body: Buffer.concat(parts), headers: answer.headers };
  }

  it('speaks HTTP/1.1 too', async () => {
    const body = randomBytes(3_000_000);
    const path = `/v1/objects/packs/${createHash('sha256').update(body).digest('hex')}`;
    const length = { 'content-length': String(body.length) };
    expect(await ask('PUT', path, body, length)).toMatchObject({ status: 201 });
    expect(await ask('PUT', path, body, length)).toMatchObject({ status: 409 });
    expect((await ask('GET', path)).body.equals(body)).toBe(true);
    const part = await ask('GET', path, undefined, { range: 'bytes=1000000-1000009' });
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': 'bytes 1000000-1000009/3000000' } });
    expect(part.body.equals(body.subarray(1_000_000, 1_000_010))).toBe(true);
    expect(await ask('HEAD', path)).toMatchObject({ status: 200, headers: { 'content-length': '3000000' } });
    expect(await ask('DELETE', path)).toMatchObject({ status: 403, headers: { 'cairn-error': 'STORE_DENIED' } });
    expect(await ask('PUT', `${path.slice(0, -4)}0000`, body, { 'transfer-encoding': 'chunked' })).toMatchObject({
      status: 411,
    });
    expect((await ask('GET', '/v1/objects/packs')).body.toString()).toMatch(/^[0-9a-f]{64} 3000000 \d+\nend\n$/);
  });

  it('takes a certificate that was renewed, without a restart, and goes on with the old one until that can be used', async () => {
    const shown = async (): Promise<string> => {
      const { port } = server;
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
      await once(socket, 'secureConnect');
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      return fingerprint256;
    };
    const before = new X509Certificate(certificate.certificate).fingerprint256;
    expect(await shown()).toBe(before);
    writeFileSync(certificate.files.certificate, 'half a certifi');
    await expect.poll(() => place.log.join('')).toContain('the renewed certificate cannot be used');
    expect(await shown()).toBe(before);
    const renewed = makeCertificate(directory);
    await expect.poll(shown).toBe(new X509Certificate(renewed.certificate).fingerprint256);
    const store = openHttpStore({ address: server.address, token, ca: renewed.ca });
    expect((await store.get(CONFIG)).length).toBe(100);
    await store[Symbol.asyncDispose]();
  });
});

describe('a connection', () => {
  it('that broke is made anew by the next request', async () => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const { port } = await place.start();
    const token = await place.token('reader', 'read');
    // A way to the server that can be cut.
    const sockets: { destroy(): void }[] = [];
    const way = createTcp((socket) => {
      const on = connect(port, '127.0.0.1');
      for (const end of [socket, on]) end.on('error', () => undefined);
      socket.pipe(on).pipe(socket);
      sockets.push(socket, on);
    });
    await new Promise<void>((resolve) => void way.listen(0, '127.0.0.1', resolve));
    const store = openHttpStore({ address: `http://127.0.0.1:${(way.address() as AddressInfo).port}`, token });
    const entry = { kind: 'log', name: logName(1) } as const;
    const bytes = await store.get(entry);
    for (let round = 0; round < 3; round += 1) {
      for (const socket of sockets.splice(0)) socket.destroy();
      // What is asked while nobody has noticed yet may fail, but only as what may be asked again.
      const asked = await store.get(entry).catch((error: unknown) => error);
      if (asked instanceof Error) expect(asked).toMatchObject({ code: 'STORE_UNREACHABLE' });
      expect(Buffer.compare(await store.get(entry), bytes)).toBe(0);
    }
    way.close();
    for (const socket of sockets) socket.destroy();
    await expect(store.get(entry)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it('carries thousands of requests: a server takes whoever resets many for hostile', async () => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const { address } = await place.start();
    const store = openHttpStore({ address, token: await place.token('admin', 'maintain') });
    const entry = { kind: 'log', name: logName(1) } as const;
    let left = 3_000;
    const lane = async (): Promise<void> => {
      for (; left > 0; left -= 1) await store.get(entry);
    };
    await Promise.all(Array.from({ length: 16 }, lane));
    await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it('asks for its pace before each piece of what it sends, and after each that came', async () => {
    const place = await ServerPlace.create();
    const forger = await Forger.create(place.repositoryPath);
    await forger.populate();
    const { address } = await place.start();
    const store = openHttpStore({ address, token: await place.token('admin', 'maintain') });
    const body = randomBytes(1_000_000);
    const key = { kind: 'packs', name: createHash('sha256').update(body).digest('hex') } as const;
    const sent: number[] = [];
    const came: number[] = [];
    const pace = (pieces: number[]) => async (bytes: number) => {
      pieces.push(bytes);
      await new Promise((resolve) => setTimeout(resolve, 5));
    };
    await store.put(key, body, { pace: pace(sent) });
    expect(Buffer.compare(await store.get(key, { pace: pace(came) }), body)).toBe(0);
    for (const pieces of [sent, came]) {
      expect(pieces.reduce((sum, bytes) => sum + bytes, 0)).toBe(body.length);
      expect(Math.max(...pieces)).toBeLessThanOrEqual(256 * 1024);
    }
    const refused = { pace: () => Promise.reject(new CairnError('CANCELLED', 'no further')) };
    const put = store.put(forger.object('packs').key, body, refused);
    await expect(put).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(store.get(key, refused)).rejects.toMatchObject({ code: 'CANCELLED' });
    await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it.each([
    ['another range', { ':status': 206, 'content-range': 'bytes 1-10/100' }, 10, 'STORE_FAILED'],
    ['the whole object', { ':status': 200 }, 10, 'STORE_FAILED'],
    ['too much', { ':status': 206, 'content-range': 'bytes 0-9/100' }, 11, 'LIMIT_EXCEEDED'],
    ['too little', { ':status': 206, 'content-range': 'bytes 0-9/100' }, 9, 'STORE_FAILED'],
    [
      'less than it says',
      { ':status': 206, 'content-range': 'bytes 0-9/100', 'content-length': '10' },
      9,
      'STORE_UNREACHABLE',
    ],
    ["a proxy's own 404", { ':status': 404 }, 10, 'STORE_FAILED'],
    ["a proxy's own 503", { ':status': 503 }, 10, 'STORE_UNREACHABLE'],
    ['an error of no store', { ':status': 500, 'cairn-error': 'INTERNAL' }, 10, 'STORE_FAILED'],
  ])('to a server that answers with %s is not believed', async (_, headers, length, code) => {
    const server = createServer((_request, response) => {
      response.stream.on('error', () => undefined);
      response.stream.respond(headers);
      response.stream.end(Buffer.alloc(length));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const store = openHttpStore({ address: `http://127.0.0.1:${port}`, token: 'x' });
    const range = { offset: 0, length: 10 };
    await expect(store.get(CONFIG, { range })).rejects.toMatchObject({ code });
    await store[Symbol.asyncDispose]();
    server.close();
  });

  it.each([
    ['cut off', 'a'.repeat(64)],
    ['without an end', `${'a'.repeat(64)} 1 1\n`],
    ['out of order', `${'b'.repeat(64)} 1 1\n${'a'.repeat(64)} 1 1\nend\n`],
    ['of names that are none', '../../etc 1 1\nend\n'],
    ['that goes on for ever without an object', 'more\n'],
  ])('to a server whose listing is %s gives an error, never a short list', async (_, text) => {
    const server = createServer((_request, response) => response.end(text));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const store = openHttpStore({ address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'x' });
    const names: string[] = [];
    const listing = (async () => {
      for await (const { name } of store.list('packs')) names.push(name);
    })();
    await expect(listing).rejects.toMatchObject({ code: 'STORE_FAILED' });
    expect(names).toEqual([]);
    await store[Symbol.asyncDispose]();
    server.close();
  });
});
