import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';

import { EXCHANGE } from '../limits.ts';
import { HttpExchanges, type ExchangeRequest } from './http-exchange.ts';

const MiB = 1_048_576;
const IDLE_MS = 300;

const open: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();
afterEach(() => {
  for (const server of open.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

async function listening<T extends Server | TcpServer>(server: T): Promise<URL> {
  open.push(server);
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/object`);
}

const serve = (listener: RequestListener): Promise<URL> => listening(createServer(listener));
/** A server that answers the first bytes of a request with whatever it likes. */
const speak = (say: (socket: Socket) => void): Promise<URL> =>
  listening(createTcpServer((socket) => void socket.on('error', () => undefined).once('data', () => say(socket))));

function ask(url: URL, more: Partial<ExchangeRequest> = {}): ReturnType<HttpExchanges['exchange']> {
  const request = { method: 'GET', url, headers: {}, most: MiB, what: 'get it', ...more };
  return new HttpExchanges(false, IDLE_MS).exchange(request);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

describe('HttpExchanges', () => {
  it('sends all of a body and takes all of an answer', async () => {
    const url = await serve(async (request, response) => {
      const body = await bodyOf(request);
      response.setHeader('x-got', `${request.method} ${request.headers['content-length']}`).end(body.reverse());
    });
    const body = Buffer.alloc(3 * MiB + 17, 'abc');
    const answer = await ask(url, { method: 'PUT', body, most: 4 * MiB });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-got': `PUT ${body.length}` } });
    expect(Buffer.from(answer.body).equals(Buffer.from(body).reverse())).toBe(true);
    expect(answer.body.buffer.byteLength).toBe(answer.body.length);
  });

  it('takes an answer without a length', async () => {
    const url = await serve((_, response) => {
      response.write('one ');
      response.end('two');
    });
    expect(Buffer.from((await ask(url)).body).toString()).toBe('one two');
  });

  it('keeps connections', async () => {
    let connections = 0;
    const server = createServer((_, response) => void response.end('x'));
    server.on('connection', () => (connections += 1));
    const url = await listening(server);
    const http = new HttpExchanges(false);
    for (let i = 0; i < 5; i++) await http.exchange({ method: 'GET', url, headers: {}, most: 10, what: 'get it' });
    http.close();
    expect(connections).toBe(1);
  });

  it('takes an answer that comes before everything is sent', async () => {
    const url = await serve((_, response) => void response.writeHead(412).end('no'));
    expect(await ask(url, { method: 'PUT', body: Buffer.alloc(64 * MiB) }).catch((error: unknown) => error)).toSatisfy(
      (outcome: { status?: number; code?: string }) => outcome.status === 412 || outcome.code === 'STORE_UNREACHABLE',
    );
  });

  it('follows no redirect', async () => {
    const url = await serve((_, response) => void response.writeHead(301, { location: 'http://127.0.0.1:1/' }).end());
    expect((await ask(url)).status).toBe(301);
  });

  it('asks for its pace, in both directions', async () => {
    const paced: number[] = [];
    const pace = async (bytes: number): Promise<void> => void paced.push(bytes);
    const url = await serve(async (request, response) => {
      await bodyOf(request);
      response.end(Buffer.alloc(100_000));
    });
    await ask(url, { method: 'PUT', body: Buffer.alloc(200_000), pace });
    expect(paced.reduce((sum, bytes) => sum + bytes, 0)).toBe(300_000);
    expect(Math.max(...paced)).toBeLessThanOrEqual(EXCHANGE.piece);
  });

  it('does not take its own pauses for those of the server', async () => {
    const url = await serve(async (request, response) => void response.end(String((await bodyOf(request)).length)));
    const pace = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1.5 * IDLE_MS));
    const answer = await ask(url, { method: 'PUT', body: Buffer.alloc(EXCHANGE.piece + 1), pace });
    expect(Buffer.from(answer.body).toString()).toBe(String(EXCHANGE.piece + 1));
  });
});

/** Sends some bytes, again and again, until the other side has enough. */
function endless(response: ServerResponse, bytes: number, everyMs: number): void {
  const timer = setInterval(() => response.write(Buffer.alloc(bytes)), everyMs);
  response.on('close', () => clearInterval(timer));
}

describe('HttpExchanges with a bad server', () => {
  const head = 'HTTP/1.1 200 OK\r\n';

  it.each([
    ['says nothing', 'STORE_UNREACHABLE', () => undefined],
    ['closes the connection', 'STORE_UNREACHABLE', (socket: Socket) => socket.end()],
    ['resets the connection', 'STORE_UNREACHABLE', (socket: Socket) => socket.resetAndDestroy()],
    ['sends half of a head', 'STORE_UNREACHABLE', (socket: Socket) => socket.write('HTTP/1.1 200')],
    ['closes in the middle of a head', 'STORE_UNREACHABLE', (socket: Socket) => socket.end('HTTP/1.1 200')],
    [
      'promises more than it sends',
      'STORE_UNREACHABLE',
      (socket: Socket) => socket.end(`${head}content-length: 9\r\n\r\nabc`),
    ],
    [
      'promises more and stalls',
      'STORE_UNREACHABLE',
      (socket: Socket) => socket.write(`${head}content-length: 9\r\n\r\nabc`),
    ],
    [
      'ends in the middle of a chunk',
      'STORE_UNREACHABLE',
      (socket: Socket) => socket.end(`${head}transfer-encoding: chunked\r\n\r\n9\r\nabc`),
    ],
    ['speaks another protocol', 'STORE_FAILED', (socket: Socket) => socket.end('SSH-2.0-OpenSSH_9.2p1\r\n')],
    [
      'has a chunk that is none',
      'STORE_UNREACHABLE',
      (socket: Socket) => socket.end(`${head}transfer-encoding: chunked\r\n\r\nzz\r\n`),
    ],
    [
      'has a head without end',
      'STORE_FAILED',
      (socket: Socket) => socket.write(`${head}x: ${'y'.repeat(100_000)}\r\n`),
    ],
    [
      'announces too much',
      'STORE_FAILED',
      (socket: Socket) => socket.write(`${head}content-length: 99999999999\r\n\r\n`),
    ],
  ])('that %s: %s', async (_what, code, say) => {
    await expect(ask(await speak((socket) => void say(socket)))).rejects.toMatchObject({ code });
  });

  it('bounds an answer without end', async () => {
    const url = await serve((_, response) => endless(response, 50_000, 1));
    await expect(ask(url)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('more than'),
    });
  });

  it('does not wait for one that drips', async () => {
    const url = await serve((_, response) => endless(response, 1, 20));
    await expect(ask(url)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('does not wait for one that takes nothing', async () => {
    const url = await speak((socket) => void socket.pause());
    const put = ask(url, { method: 'PUT', body: Buffer.alloc(32 * MiB) });
    await expect(put).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('is left at once when the signal fires', async () => {
    const controller = new AbortController();
    const url = await speak(() => controller.abort());
    const { signal } = controller;
    await expect(ask(url, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(ask(url, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('is told from one that is not there', async () => {
    const url = await serve(() => undefined);
    await new Promise((resolve) => open.pop()?.close(resolve));
    await expect(ask(url)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });
});
