import { openHttpStore, type Capabilities, type ObjectStore } from '@cairn/core';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { RunningServer } from '../dist/server.js';
import { backUp, makeRepository, restoreDifferences, writeFiles } from './support/backups.ts';
import { statusOf } from './support/http2.ts';
import { ServerPlace } from './support/place.ts';

/** Milliseconds in which an upload must come on: a minute for users, less here. */
const WINDOW_MS = 1_500;
/** What a backup and some requests of somebody else may take meanwhile, on a busy machine. */
const PATIENCE_MS = 15_000;
/** The same while requests without end come from the very process in which this server runs. */
const FLOODED_MS = 50_000;

/** Somebody with the append credential wants nobody else to be served. */
describe('a hostile client that holds on to connections and requests', () => {
  let place: ServerPlace;
  let server: RunningServer;
  let token: string;
  let keys: Capabilities;
  let good: ObjectStore;
  let reader: ObjectStore;
  let source: string;
  const archives: string[] = [];
  const sockets: Socket[] = [];
  const sessions: ClientHttp2Session[] = [];

  beforeAll(async () => {
    place = await ServerPlace.create();
    server = await place.start({ uploadWindowMs: WINDOW_MS });
    const { address } = server;
    const admin = openHttpStore({ address, token: await place.token('admin', 'maintain') });
    keys = await makeRepository(admin);
    good = openHttpStore({ address, token: await place.token('good', 'append') });
    reader = openHttpStore({ address, token: await place.token('reader', 'read') });
    token = await place.token('hostile', 'append');
    source = place.path('source');
    writeFiles(source, 2, 100_000);
  });
  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  afterAll(async () => {
    for (const store of [good, reader]) await store[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  function newSession(): ClientHttp2Session {
    const opened = connectHttp2(server.address);
    opened.on('error', () => undefined);
    sessions.push(opened);
    return opened;
  }

  function newSocket(...parts: readonly (string | Buffer)[]): Socket {
    const opened = connect(server.port, '127.0.0.1');
    opened.on('error', () => undefined);
    for (const part of parts) opened.write(part);
    sockets.push(opened);
    return opened;
  }

  function upload(on: ClientHttp2Session, bytes: number): { stream: ClientHttp2Stream; ended: Promise<number> } {
    const stream = on.request({
      ':method': 'PUT',
      ':path': `/v1/objects/packs/${randomBytes(32).toString('hex')}`,
      authorization: `Bearer ${token}`,
      'content-length': String(bytes),
    });
    let status = 0;
    stream.on('response', (headers) => (status = Number(headers[':status'])));
    stream.on('error', () => undefined);
    const ended = new Promise<number>((resolve) => void stream.once('close', () => resolve(status)));
    stream.resume();
    return { stream, ended };
  }

  /** Everybody else is served meanwhile, and soon. */
  async function othersGoOn(withinMs = PATIENCE_MS): Promise<void> {
    const start = performance.now();
    archives.push((await backUp(good, keys, source)).id);
    await reader.get({ kind: 'config', name: 'config' });
    const fresh = openHttpStore({
      address: server.address,
      token: await place.token(`new ${archives.length}`, 'read'),
    });
    await fresh.get({ kind: 'config', name: 'config' });
    await fresh[Symbol.asyncDispose]();
    expect(performance.now() - start).toBeLessThan(withinMs);
  }

  it('by bodies of which a byte comes now and then', async () => {
    const on = newSession();
    const uploads = Array.from({ length: 50 }, () => upload(on, 1_000_000));
    const timer = setInterval(() => {
      for (const { stream } of uploads) if (stream.writable) stream.write('a');
    }, 100);
    const begun = performance.now();
    await othersGoOn();
    const statuses = await Promise.all(uploads.map(({ ended }) => ended));
    clearInterval(timer);
    for (const status of statuses) expect([0, 408]).toContain(status);
    expect(performance.now() - begun).toBeLessThan(WINDOW_MS * 4);
  });

  it('but may be as slow as a bad line, and then gets its object in', async () => {
    const body = randomBytes(400_000);
    const stream = newSession().request({
      ':method': 'PUT',
      ':path': `/v1/objects/packs/${createHash('sha256').update(body).digest('hex')}`,
      authorization: `Bearer ${token}`,
      'content-length': String(body.length),
    });
    const status = new Promise((resolve) => void stream.once('response', (headers) => resolve(headers[':status'])));
    for (let at = 0; at < body.length; at += 20_000) {
      stream.write(body.subarray(at, at + 20_000));
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    stream.end();
    expect(await status).toBe(201);
  });

  it('by connections that are left half open, headers without end, or bodies that never come', async () => {
    const head = `PUT /v1/objects/packs/${'0'.repeat(64)} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n`;
    for (let count = 0; count < 10; count += 1) {
      newSocket();
      newSocket('PR');
      newSocket('GET / HTTP/1.1\r\n');
      newSocket(`${head}content-length: 1000\r\n\r\nabc`);
      newSocket(`${head}content-length: 1000\r\n\r\nabc`).end();
      newSocket(`${head}transfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n`);
      newSocket(`GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}`);
      newSocket('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      newSocket('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', Buffer.alloc(9, 0xff));
    }
    await othersGoOn();
  });

  it('by more connections than one address may have', async () => {
    const closed: boolean[] = [];
    for (let count = 0; count < 300; count += 1) newSocket().once('close', () => closed.push(true));
    await expect.poll(() => closed.length, { timeout: 5_000 }).toBeGreaterThan(150);
    // Those who were there before go on; who comes from elsewhere is let in.
    archives.push((await backUp(good, keys, source)).id);
    const other = connect({ port: server.port, host: '127.0.0.1', localAddress: '127.0.0.2' });
    const answer = new Promise<string>((resolve, reject) => {
      other.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
      other.once('close', () => reject(new Error('closed')));
    });
    other.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /);
    other.destroy();
  });

  it('by headers that are too large or too many, over HTTP/2', async () => {
    for (const headers of [
      { 'x-large': 'y'.repeat(60_000) },
      Object.fromEntries(Array.from({ length: 500 }, (_, number) => [`x-${number}`, 'y'])),
    ]) {
      const stream = newSession().request({ ':path': '/v1/objects/log', authorization: `Bearer ${token}`, ...headers });
      stream.on('error', () => undefined);
      let status = 0;
      stream.on('response', (answer) => (status = Number(answer[':status'])));
      stream.resume();
      await new Promise((resolve) => void stream.once('close', resolve));
      expect(status).not.toBe(200);
    }
    await othersGoOn();
  });

  it('by requests without end on one connection, and bodies longer than was said', async () => {
    let on = newSession();
    let answered = 0;
    let stop = false;
    const flood = async (): Promise<void> => {
      while (!stop) {
        // A server may end a connection on which streams are opened and dropped too fast.
        if (on.destroyed || on.closed) on = newSession();
        const path = `/v1/objects/packs/${randomBytes(32).toString('hex')}`;
        answered += (await statusOf(on, { ':path': path }, token).catch(() => 0)) === 0 ? 0 : 1;
        await new Promise(setImmediate);
      }
    };
    const floods = Promise.all(Array.from({ length: 64 }, flood));
    await othersGoOn(FLOODED_MS);
    const put = { ':method': 'PUT', ':path': `/v1/objects/packs/${'2'.repeat(64)}`, 'content-length': '1' };
    expect(await statusOf(newSession(), put, token, 'aa')).not.toBe(201);
    stop = true;
    await floods;
    expect(answered).toBeGreaterThan(0);
  });

  it('leaves nothing unfinished behind, and has harmed no archive', async () => {
    const temps = (): string[] => readdirSync(`${place.repositoryPath}/tmp`).filter((name) => name !== 'reserve');
    await expect.poll(temps, { timeout: 20_000 }).toEqual([]);
    for (const id of archives) {
      expect(await restoreDifferences(reader, keys, id, source, place.path('restored'))).toEqual([]);
    }
  });
});
