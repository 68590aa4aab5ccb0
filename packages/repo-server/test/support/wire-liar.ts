import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

import type { TestCertificate } from './certificate.ts';

/** What a client asked for. */
export interface Asked {
  readonly method: string;
  /** `packs/NAME`, `packs` for a listing, or the whole path for anything else. */
  readonly label: string;
  readonly range: string | undefined;
  /** Name after which a page of a listing begins. */
  readonly after: string;
}

/** True when it answered itself, or deliberately did not. */
export type Trick = (asked: Asked, stream: ServerHttp2Stream) => boolean;

interface Stored {
  readonly body: Buffer;
  readonly receivedMs: number;
}

/**
 * A server that says what it is told to: without a trick it keeps to the protocol (docs/reference/server-protocol.md), and knows no
 * roles. Written from that page; nothing of the real server is in it.
 */
export class WireLiar {
  readonly objects = new Map<string, Stored>();
  trick: Trick | undefined;
  port = 0;
  private readonly server: Http2Server;
  private readonly sessions = new Set<ServerHttp2Session>();

  /** @param certificate for TLS; without one, HTTP/2 in the clear. */
  constructor(certificate?: TestCertificate) {
    this.server =
      certificate === undefined
        ? createServer()
        : createSecureServer({ cert: certificate.certificate, key: certificate.key });
    this.server.on('session', (session) => {
      this.sessions.add(session);
      session.on('error', () => undefined);
      session.once('close', () => this.sessions.delete(session));
    });
    this.server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      const asked = askedOf(headers);
      if (this.trick?.(asked, stream) === true) return;
      void this.answer(asked, stream);
    });
  }

  async start(): Promise<void> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = (this.server.address() as AddressInfo).port;
  }

  stop(): void {
    for (const session of this.sessions) session.destroy();
    this.server.close();
  }

  labels(kind: string): string[] {
    return [...this.objects.keys()].filter((label) => label.startsWith(`${kind}/`)).toSorted();
  }

  body(label: string): Buffer {
    return this.objects.get(label)?.body ?? Buffer.alloc(0);
  }

  set(label: string, body: Buffer): void {
    this.objects.set(label, { body, receivedMs: this.objects.get(label)?.receivedMs ?? 1_795_248_000_000 });
  }

  /** A listing, as honest servers write it. */
  page(labels: readonly string[], end = 'end'): string {
    const lines = labels.map((label) => `${label.split('/')[1]} ${this.body(label).length} 1795248000000\n`);
    return `${lines.join('')}${end}\n`;
  }

  private async answer(asked: Asked, stream: ServerHttp2Stream): Promise<void> {
    const { method, label, range } = asked;
    if (method === 'PUT') {
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part as Buffer);
      if (this.objects.has(label)) refuse(stream, 409, 'OBJECT_EXISTS');
      else {
        this.set(label, Buffer.concat(parts));
        send(stream, { ':status': 201 });
      }
      return;
    }
    if (method === 'DELETE') {
      this.objects.delete(label);
      send(stream, { ':status': 204 });
      return;
    }
    if (!label.includes('/')) {
      send(stream, { ':status': 200 }, this.page(this.labels(label).filter((one) => one > `${label}/${asked.after}`)));
      return;
    }
    const found = this.objects.get(label);
    if (found === undefined) {
      refuse(stream, 404, 'OBJECT_MISSING');
      return;
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (first === undefined || last === undefined) {
      send(stream, { ':status': 200, 'content-length': found.body.length }, found.body);
      return;
    }
    if (Number(last) >= found.body.length) {
      refuse(stream, 416, 'OBJECT_MISSING');
      return;
    }
    sendRange(stream, found.body.subarray(Number(first), Number(last) + 1), Number(first), found.body.length);
  }
}

export function send(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders, body: string | Buffer = ''): void {
  if (stream.destroyed) return;
  stream.respond(headers);
  stream.end(body);
}

/** A part as if it were the one that begins at `first`. */
export function sendRange(stream: ServerHttp2Stream, part: Buffer, first: number, whole: number): void {
  const range = `bytes ${first}-${first + part.length - 1}/${whole}`;
  send(stream, { ':status': 206, 'content-length': part.length, 'content-range': range }, part);
}

export function refuse(stream: ServerHttp2Stream, status: number, code: string): void {
  const body = JSON.stringify({ code, message: 'no' });
  send(stream, { ':status': status, 'cairn-error': code, 'content-type': 'application/json' }, body);
}

function askedOf(headers: IncomingHttpHeaders): Asked {
  const url = new URL(String(headers[':path']), 'http://server');
  const range = headers['range'];
  return {
    method: String(headers[':method']),
    label: url.pathname.replace(/^\/v1\/objects\//, ''),
    range: typeof range === 'string' ? range : undefined,
    after: url.searchParams.get('after') ?? '',
  };
}

/** Name of a pack or segment with that content. */
export function nameOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}
