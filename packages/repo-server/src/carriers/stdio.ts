import { LIMITS } from '@cairn/core/server';
import type { Hono } from 'hono';
import { fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';

import type { AppEnvironment } from '../http/environment.ts';
import { http2Server } from './listener.ts';

/** This process has one connection and no other. */
const OWN_ROOM = { windowBytes: LIMITS.stdioWindowBytes, requests: LIMITS.stdioRequests };

/**
 * Serves one HTTP/2 connection on the standard input and output of this process, as a command of sshd finds them. Resolves when
 * the client is gone.
 */
export async function serveStdio(app: Hono<AppEnvironment>): Promise<void> {
  const server = http2Server(app, OWN_ROOM);
  const connection = connectionOf();
  const ended = new Promise<void>((resolve) => {
    connection.once('close', resolve);
    server.once('session', (session) => void session.once('close', resolve));
  });
  connection.on('error', () => connection.destroy());
  server.emit('connection', connection);
  await ended;
}

/** sshd gives one socket for both directions, or a pipe for each. A socket carries HTTP/2 without a detour through streams. */
function connectionOf(): Duplex {
  const [one, other] = [fstatSync(0), fstatSync(1)];
  if (one.isSocket() && one.ino === other.ino && one.dev === other.dev) return new Socket({ fd: 0 });
  return Duplex.from({ readable: process.stdin, writable: process.stdout });
}
