import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { CairnError } from '../errors.ts';
import type { Link } from './wire-connection.ts';
import { holdSession, sessionOptions } from './wire-session.ts';
import { WireStore } from './wire-store.ts';

/** How a repository server is reached over HTTPS. */
export interface HttpStoreOptions {
  /** `https://HOST[:PORT][/PREFIX]`; `http://` for this machine only. No user, password, query or fragment. */
  readonly address: string;
  /** What the server gave for this client; sent with each request, and never shown. */
  readonly token: string;
  /** Certificates (PEM) to trust in the place of the system's. */
  readonly ca?: string;
  /** SHA-256 of the server's certificate, 64 hex digits: then this one is trusted and no other, whoever signed it. */
  readonly fingerprint?: string;
  /** Milliseconds after which a request without progress is given up; `LIMITS.wireSilenceMs` unless given. */
  readonly silenceMs?: number;
}

/** Milliseconds for TCP and TLS together. */
const CONNECT_MS = 30_000;

/**
 * A store behind a repository server at an `https://` address, by HTTP/2: one connection carries all requests. The connection is
 * made with the first request. Rejects with `USAGE` for an address, token or fingerprint that is none.
 */
export function openHttpStore(options: HttpStoreOptions): WireStore {
  const place = placeOf(options);
  const { token } = options;
  if (!/^[\x21-\x7e]{1,1000}$/.test(token)) {
    throw new CairnError('USAGE', 'what is given as token of the server is none', {
      hint: 'The file must hold the token alone, as `cairn-server client add` printed it.',
    });
  }
  return new WireStore({
    description: place.description,
    prefix: place.prefix,
    headers: { authorization: `Bearer ${token}` },
    connect: () => openLink(place),
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
  });
}

interface Place {
  readonly description: string;
  readonly authority: string;
  readonly host: string;
  readonly port: number;
  readonly prefix: string;
  readonly tls: boolean;
  readonly ca: string | undefined;
  readonly fingerprint: string | undefined;
}

function placeOf({ address, ca, fingerprint }: HttpStoreOptions): Place {
  const bad = (how: string): CairnError =>
    new CairnError('USAGE', `the address of the server ${how}`, { hint: 'Write it as https://backup.example.org.' });
  if (!URL.canParse(address)) throw bad('does not parse');
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') throw bad('must not hold a name or password');
  if (url.search !== '' || url.hash !== '') throw bad('must not have a query or fragment');
  const tls = url.protocol === 'https:';
  if (!tls && url.protocol !== 'http:') throw bad('must begin with https://');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (!tls && !isLoopback(host)) throw bad('must begin with https://, or everybody on the way could read the token');
  const pin = fingerprint?.replaceAll(':', '').toLowerCase();
  if (pin !== undefined && !/^[0-9a-f]{64}$/.test(pin)) {
    throw new CairnError('USAGE', 'the fingerprint of the certificate is not a SHA-256 in hex digits');
  }
  const port = url.port === '' ? (tls ? 443 : 80) : Number(url.port);
  const prefix = url.pathname.replace(/\/+$/, '');
  const description = `${url.origin}${prefix}`;
  return { description, authority: url.origin, host, port, prefix, tls, ca, fingerprint: pin };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

async function openLink(place: Place): Promise<Link> {
  const socket = await openSocket(place);
  const session = connectHttp2(place.authority, { ...sessionOptions, createConnection: () => socket });
  return holdSession(session, {
    hold: (inUse) => (inUse ? session.ref() : session.unref()),
    failure: async () => undefined,
    close: () => session.close(),
  });
}

function openSocket(place: Place): Promise<Socket> {
  const { host, port, description } = place;
  return new Promise((resolve, reject) => {
    const socket = place.tls ? tlsSocket(place) : connectTcp({ host, port });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection after ${CONNECT_MS / 1000} s`)), CONNECT_MS);
    socket.once(place.tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      const wrong = place.tls ? untrusted(socket as TLSSocket, place) : undefined;
      if (wrong === undefined) {
        socket.setNoDelay(true);
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(wrong);
    });
    socket.once('error', (cause) => {
      clearTimeout(timer);
      reject(
        new CairnError('STORE_UNREACHABLE', `${description} cannot be reached: ${reasonOf(cause)}`, {
          hint: 'Check the address, the network and that the server runs.',
          cause,
        }),
      );
    });
  });
}

/** With several addresses tried in turn, Node tells an error without a message that holds the others. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((one: Error) => one.message).join('; ');
  return error.message;
}

/** Whether to trust it is decided in `untrusted`, before a byte is sent. */
function tlsSocket({ host, port, ca }: Place): TLSSocket {
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  });
}

function untrusted(socket: TLSSocket, { description, fingerprint }: Place): CairnError | undefined {
  const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '').toLowerCase();
  if (fingerprint === undefined ? !socket.authorized : found !== fingerprint) {
    const reason =
      fingerprint === undefined
        ? `its certificate is not trusted: ${String(socket.authorizationError)}`
        : `its certificate is another than the one expected; it has the fingerprint ${found}`;
    return new CairnError('STORE_UNTRUSTED', `${description} does not prove who it is: ${reason}`, {
      hint: 'If the server has a certificate of its own, name its CA file or its fingerprint; else somebody is in between.',
    });
  }
  if (socket.alpnProtocol === 'h2') return undefined;
  return new CairnError('STORE_FAILED', `${description} does not speak HTTP/2`, {
    hint: 'Let the proxy before the server offer HTTP/2, or reach the server itself.',
  });
}
