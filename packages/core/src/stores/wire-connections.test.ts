import { once } from 'node:events';
import { connect, createServer, type Http2Server, type Http2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { FAR_STORE } from '../limits.ts';
import { TcpProxy } from '../testing/tcp-proxy.ts';
import type { Link } from './wire-connection.ts';
import { WireConnections } from './wire-connections.ts';
import type { WireAnswer, WireRequest } from './wire-exchange.ts';
import { holdSession } from './wire-session.ts';

const PACK_BYTES = FAR_STORE.bytes;
const PACKS = 4;
/** Bytes under way: some 10 MB/s, so that the first pack is not done before another connection is there. */
const WINDOW_BYTES = 512 * 1024;
const READ_BYTES = 4 * 1024 * 1024;
const READS = 16;

let server: Http2Server;
let proxy: TcpProxy;
/** Bytes that came on each connection, in the order in which these were made. */
let received: Map<Http2Session | undefined, number>;
/** Bytes that were asked for on each. */
let sent: Map<Http2Session | undefined, number>;

beforeEach(async () => {
  received = new Map();
  sent = new Map();
  server = createServer({ maxSessionMemory: 256, settings: { initialWindowSize: WINDOW_BYTES } });
  server.on('session', (session) => {
    received.set(session, 0);
    session.setLocalWindowSize(WINDOW_BYTES);
  });
  server.on('stream', (stream, headers) => {
    const { session } = stream;
    stream.on('data', (bytes: Buffer) => void received.set(session, (received.get(session) ?? 0) + bytes.length));
    stream.on('end', () => {
      const body = Buffer.alloc(Number(headers['expected'] ?? 0));
      sent.set(session, (sent.get(session) ?? 0) + body.length);
      stream.respond({ ':status': 200, 'content-length': body.length });
      stream.end(body);
    });
    stream.resume();
    stream.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.start((server.address() as AddressInfo).port);
  proxy.delayMs = FAR_STORE.roundTripMs;
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  server.close();
});

async function link(): Promise<Link> {
  const session = connect(`http://127.0.0.1:${proxy.port}`);
  await once(session, 'connect');
  return holdSession(session, {
    failure: async () => undefined,
    hold: () => undefined,
    close: () => session.close(),
  });
}

function request(body?: Uint8Array): WireRequest {
  return {
    method: body === undefined ? 'GET' : 'PUT',
    path: '/',
    headers: {},
    ...(body === undefined ? {} : { body }),
    most: 1,
    silenceMs: 60_000,
    what: 'try it',
  };
}

function putAll(connections: WireConnections): Promise<WireAnswer[]> {
  return Promise.all(Array.from({ length: PACKS }, () => connections.send(request(Buffer.alloc(PACK_BYTES)))));
}

it('sends each of the packs that are under way at once over one of its own, once it knows that the way is long', async () => {
  const connections = new WireConnections(link, PACKS);
  await connections.send(request());
  await putAll(connections);
  expect([...received.values()]).toEqual(Array.from({ length: PACKS }, () => PACK_BYTES));
  await connections.close();
});

it('spreads what is asked for at once', async () => {
  const connections = new WireConnections(link, PACKS);
  await connections.send(request());
  const asked = { ...request(), headers: { expected: READ_BYTES }, most: READ_BYTES, expected: READ_BYTES };
  const answers = await Promise.all(Array.from({ length: READS }, () => connections.send(asked)));
  expect(answers.map(({ body }) => body.length)).toEqual(Array.from({ length: READS }, () => READ_BYTES));
  expect(sent.size).toBe(PACKS);
  for (const bytes of sent.values()) expect(bytes).toBeGreaterThanOrEqual(2 * READ_BYTES);
  await connections.close();
});

it('sends all over the first when no other comes', async () => {
  let asked = 0;
  const connections = new WireConnections(async () => {
    asked += 1;
    if (asked > 1) throw new Error('no more than one');
    return await link();
  }, PACKS);
  await connections.send(request());
  await putAll(connections);
  expect([...received.values()]).toEqual([PACKS * PACK_BYTES]);
  expect(asked).toBeGreaterThan(1);
  await connections.close();
});

// On a machine with much to do, this one's own way can look long.
it('opens no other over a short way', { retry: 3 }, async () => {
  proxy.delayMs = 0;
  const connections = new WireConnections(link, PACKS);
  for (let i = 0; i < 3; i += 1) await connections.send(request());
  await putAll(connections);
  expect(received.size).toBe(1);
  await connections.close();
});
