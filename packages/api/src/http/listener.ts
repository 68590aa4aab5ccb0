import { CairnError, LIMITS } from '@cairn/core';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { createServer, STATUS_CODES, type Server } from 'node:http';
import type { Socket } from 'node:net';

import { PROBLEM_MEDIA_TYPE, problemOf, problemResponse } from './problem.ts';
import type { AppEnvironment } from './route.ts';

/** Milliseconds for the headers of a request, and that a connection without requests stays open. */
const HEADERS_MS = 30_000;
/** Milliseconds for a whole request. */
const REQUEST_MS = 120_000;

/** A request without a host gets to the app’s listener, which answers it in our form. */
const OPTIONS = { maxHeaderSize: LIMITS.serverHeaderBytes, requireHostHeader: false };

export interface Listening {
  readonly server: Server;
  /** Takes no more connections, waits at most so many milliseconds for requests under way, and cuts what is left. */
  close(waitMs: number): Promise<void>;
}

/** HTTP/1.1 for the app. What is no HTTP at all is answered in the same form as every other error. */
export function httpListener(app: Hono<AppEnvironment>): Listening {
  const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
    overrideGlobalObjects: false,
    errorHandler: (error) => problemResponse(unreadable(error)),
  });
  const server = createServer(OPTIONS, (incoming, outgoing) => {
    void listener(incoming, outgoing);
  });
  server.headersTimeout = HEADERS_MS;
  server.keepAliveTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.maxConnections = LIMITS.serverConnections;
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => answerRaw(error, socket));
  return {
    server,
    close: async (waitMs) => {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), waitMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** A request that has no usable address, or another mistake that is met before the app is. */
function unreadable(error: unknown): CairnError {
  return new CairnError('USAGE', 'the request cannot be read', { cause: error });
}

function answerRaw(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const slow = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : slow ? 408 : 400;
  const what = { 400: 'this is no HTTP', 408: 'the request comes too slowly', 431: 'the headers are too long' }[status];
  const body = JSON.stringify(problemOf(new CairnError('USAGE', what, { details: { http: status } })));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
