import { LIMITS } from '@cairn/core/server';
import { randomBytes } from 'node:crypto';
import { connect, type ClientHttp2Session } from 'node:http2';
import { expect, it } from 'vitest';

import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';

/** What the server stays below with 16 clients, and what a hostile one can add (docs/reference/server-protocol.md, "Memory"). */
const MEMORY_BYTES = 200_000_000;
const HOSTILE_BYTES = LIMITS.serverUploads * (LIMITS.serverWindowBytes + LIMITS.serverBufferBytes);
/** What each of its connections takes beside: HTTP/2's own state, and what came of requests that are refused. */
const CONNECTION_BYTES = 512 * 1024;
const PIECE = randomBytes(1024 * 1024);

interface Flood {
  readonly clients: number;
  /** Of each client. */
  readonly connections: number;
  /** On each connection. */
  readonly uploads: number;
  readonly path: () => string;
  /** Bytes that each upload says it has; it never ends. */
  readonly announced: number;
  readonly sent: number;
}

const packs = {
  path: () => `/v1/objects/packs/${randomBytes(32).toString('hex')}`,
  announced: LIMITS.packBytes,
  sent: 6 * PIECE.length,
};
const entries = {
  path: () => '/v1/objects/log/0000000000000001',
  announced: LIMITS.logEntryBytes,
  sent: LIMITS.logEntryBytes - 1,
};

/** Sends a body without its end; resolves when it is gone, or when the server ended the request. */
function send(on: ClientHttp2Session, token: string, { path, announced, sent }: Flood): Promise<void> {
  const stream = on.request({
    ':method': 'PUT',
    ':path': path(),
    authorization: `Bearer ${token}`,
    'content-length': String(announced),
  });
  stream.on('error', () => undefined);
  stream.resume();
  return new Promise((resolve) => {
    stream.once('close', resolve);
    const next = (left: number): void => {
      if (left <= 0) resolve();
      else stream.write(PIECE.subarray(0, Math.min(left, PIECE.length)), () => next(left - PIECE.length));
    };
    next(sent);
  });
}

it.each<[string, Flood]>([
  ['16 clients send four packs each', { clients: 16, connections: 1, uploads: 4, ...packs }],
  ['one client sends as many packs as it can', { clients: 1, connections: 100, uploads: 2, ...packs }],
  ['one client sends as many log entries as it can', { clients: 1, connections: 4, uploads: 25, ...entries }],
])('a server stays small while %s, and ends none', async (_what, flood) => {
  // Held all at once, it would be too much.
  const hostile = flood.clients === 1 ? HOSTILE_BYTES + flood.connections * CONNECTION_BYTES : 0;
  const most = MEMORY_BYTES + hostile;
  expect(flood.clients * flood.connections * flood.uploads * flood.sent).toBeGreaterThan(most);
  const place = await ServerPlace.create();
  await Forger.create(place.repositoryPath);
  const server = await ServerProcess.start(place.config);
  const sessions: ClientHttp2Session[] = [];
  const sending: Promise<void>[] = [];
  for (let client = 0; client < flood.clients; client += 1) {
    const token = await place.token(`client-${client}`, 'append');
    for (let connection = 0; connection < flood.connections; connection += 1) {
      const session = connect(server.address);
      session.on('error', () => undefined);
      sessions.push(session);
      for (let upload = 0; upload < flood.uploads; upload += 1) sending.push(send(session, token, flood));
    }
  }
  await Promise.all(sending);
  expect(server.peakMemory()).toBeLessThan(most);
  for (const session of sessions) session.destroy();
  await server.end('SIGTERM');
  await place[Symbol.asyncDispose]();
});
