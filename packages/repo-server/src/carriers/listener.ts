import { LIMITS } from '@cairn/core/server';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import {
  createServer as createHttp1,
  type IncomingMessage,
  type Server as Http1Server,
  type ServerResponse,
} from 'node:http';
import {
  createSecureServer,
  createServer as createHttp2,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type ServerOptions,
} from 'node:http2';
import { createServer as createTcp, type Server, type Socket } from 'node:net';

import type { AppEnvironment } from '../http/environment.ts';
import type { Certificate } from './certificate.ts';

/** MiB that Node keeps for one session: more than the windows of its requests. */
const SESSION_MEMORY_MIB = 64;
/**
 * Bytes under way on one connection, all its requests together. Node takes what comes from this window at once, read or not: it bounds the
 * speed of a long line (160 MB/s at 100 ms there and back), and the windows of the requests bound memory.
 */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** Milliseconds for the headers of a request, and for TLS. */
const HEADERS_MS = 30_000;
/** Milliseconds that a connection without requests stays open. */
const IDLE_MS = 600_000;
/** The first bytes of HTTP/2 (RFC 9113, section 3.4). No method of HTTP/1.1 begins so. */
const HTTP2_BEGINS = 'PRI';

/** Bytes of each request under way, and requests at the same time on one connection: together they bound its memory. */
interface Room {
  readonly windowBytes: number;
  readonly requests: number;
}

/** Among many connections. */
const SHARED_ROOM: Room = { windowBytes: LIMITS.serverWindowBytes, requests: LIMITS.wireRequests };

function http2Options({ windowBytes, requests }: Room): ServerOptions {
  return {
    maxSessionMemory: SESSION_MEMORY_MIB,
    maxHeaderListPairs: 64,
    settings: {
      initialWindowSize: windowBytes,
      maxConcurrentStreams: requests,
      maxHeaderListSize: LIMITS.serverHeaderBytes,
    },
  };
}

const TLS_OPTIONS = { minVersion: 'TLSv1.2' } as const;

type Listener = (
  incoming: IncomingMessage | Http2ServerRequest,
  outgoing: ServerResponse | Http2ServerResponse,
) => Promise<void>;

function listenerOf(app: Hono<AppEnvironment>): Listener {
  return getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], { overrideGlobalObjects: false });
}

/** Something that listens, and can ask its clients to go. */
export interface Listening {
  readonly server: Server;
  /** Serves new connections with this certificate; only where there is one. */
  readonly useCertificate?: (certificate: Certificate) => void;
  /** Tells every client that no request will be taken any more; connections close when those under way are done. */
  readonly sayGoodbye: () => void;
}

/** HTTP/2 on the connections that it is handed. */
export function http2Server(app: Hono<AppEnvironment>, room: Room): Http2Server {
  const server = createHttp2(http2Options(room), listenerOf(app));
  prepare(server);
  return server;
}

/** HTTP/1.1 and HTTP/2 over TLS, chosen by the client (ALPN). */
export function tlsListener(app: Hono<AppEnvironment>, certificate: Certificate): Listening {
  const server = createSecureServer(
    { ...http2Options(SHARED_ROOM), ...TLS_OPTIONS, ...certificate, allowHTTP1: true, handshakeTimeout: HEADERS_MS },
    listenerOf(app),
  );
  const sayGoodbye = prepare(server);
  server.maxConnections = LIMITS.serverConnections;
  const useCertificate = (renewed: Certificate): void => server.setSecureContext({ ...TLS_OPTIONS, ...renewed });
  return { server, sayGoodbye, useCertificate };
}

/** HTTP/1.1 and HTTP/2 without TLS: for this machine, or behind a proxy that has the certificate. */
export function plainListener(app: Hono<AppEnvironment>): Listening {
  const http1 = http1Server(app);
  const http2 = createHttp2(http2Options(SHARED_ROOM), listenerOf(app));
  const goAway = prepare(http2);
  const server = createTcp({ noDelay: true }, (socket) => {
    chooseProtocol(socket, http1, http2);
  });
  server.maxConnections = LIMITS.serverConnections;
  const sayGoodbye = (): void => {
    goAway();
    http1.closeIdleConnections();
  };
  return { server, sayGoodbye };
}

function http1Server(app: Hono<AppEnvironment>): Http1Server {
  const server = createHttp1({ maxHeaderSize: LIMITS.serverHeaderBytes }, listenerOf(app));
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = LIMITS.serverUploadMs;
  server.keepAliveTimeout = HEADERS_MS;
  server.timeout = IDLE_MS;
  return server;
}

/** Errors of a session are those of its client; its requests end with it. Gives what tells all sessions to end. */
function prepare(server: Pick<Http2Server, 'on' | 'setTimeout'>): () => void {
  const sessions = new Set<Http2Session>();
  server.setTimeout(IDLE_MS);
  server.on('session', (session: Http2Session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('error', () => session.destroy());
  });
  server.on('timeout', (session?: Http2Session) => session?.close());
  return () => {
    for (const session of sessions) session.close();
  };
}

function chooseProtocol(socket: Socket, http1: Http1Server, http2: Http2Server): void {
  const timer = setTimeout(() => socket.destroy(), HEADERS_MS);
  const ignore = (): void => void socket.destroy();
  socket.on('error', ignore);
  socket.once('close', () => clearTimeout(timer));
  let seen = Buffer.alloc(0);
  const look = (): void => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    // Kept here until it is enough: bytes that are given back to the socket make it readable again at once, for ever.
    seen = Buffer.concat([seen, bytes]);
    const beginning = seen.toString('latin1', 0, HTTP2_BEGINS.length);
    if (beginning.length < HTTP2_BEGINS.length && HTTP2_BEGINS.startsWith(beginning)) return;
    clearTimeout(timer);
    socket.off('readable', look);
    socket.off('error', ignore);
    socket.unshift(seen);
    (beginning === HTTP2_BEGINS ? http2 : http1).emit('connection', socket);
  };
  socket.on('readable', look);
}
