import { LIMITS } from '@cairn/core/server';
import { randomBytes } from 'node:crypto';
import { connect, type ClientHttp2Session } from 'node:http2';
import { expect, it } from 'vitest';

import { Forger } from './support/forger.ts';
import { ServerPlace } from './support/place.ts';
import { ServerProcess } from './support/server-process.ts';

const CONNECTIONS = 100;
const UPLOADS = 2;
/** What the server takes with ordinary clients, and for each connection the window that its clients can make it hold. */
const MEMORY_BYTES = 200_000_000 + CONNECTIONS * LIMITS.serverWindowBytes;
const PACK_BYTES = 64 * 1024 * 1024;

it(`a server stays small while ${CONNECTIONS * UPLOADS} large uploads come at once, and none of them ends`, async () => {
  const place = await ServerPlace.create();
  await Forger.create(place.repositoryPath);
  const server = await ServerProcess.start(place.config);
  const token = await place.token('hostile', 'append');
  const piece = randomBytes(1024 * 1024);
  const sessions: ClientHttp2Session[] = [];
  const sent = Array.from({ length: CONNECTIONS }, () => {
    const session = connect(server.address);
    session.on('error', () => undefined);
    sessions.push(session);
    return Promise.all(
      Array.from({ length: UPLOADS }, () => {
        const stream = session.request({
          ':method': 'PUT',
          ':path': `/v1/objects/packs/${randomBytes(32).toString('hex')}`,
          authorization: `Bearer ${token}`,
          'content-length': String(PACK_BYTES),
        });
        stream.on('error', () => undefined);
        return new Promise<void>((resolve) => {
          stream.once('close', resolve);
          stream.write(piece, () => resolve());
        });
      }),
    );
  });
  await Promise.all(sent);
  expect(server.peakMemory()).toBeLessThan(MEMORY_BYTES);
  for (const session of sessions) session.destroy();
  await server.end('SIGTERM');
  await place[Symbol.asyncDispose]();
});
