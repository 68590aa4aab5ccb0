import { Agent as HttpAgent, request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

import { CairnError, isCairnError, systemErrorCode } from '../errors.ts';
import { EXCHANGE } from '../limits.ts';
import type { CallOptions } from '../ports/object-store.ts';
import { throwIfCancelled } from './contract.ts';

/** One request, and what may come back. */
export interface ExchangeRequest extends CallOptions {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Bytes that the answer may have. */
  readonly most: number;
  /** For messages: the action, its object and the place. */
  readonly what: string;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; the first of each. */
  readonly headers: Readonly<Record<string, string>>;
  /** Alone in its memory. */
  readonly body: Uint8Array;
}

/** What is wrong with the certificate of a server, by Node.js and OpenSSL; waiting does not help. */
const UNTRUSTED = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO)/;

/**
 * Talks HTTP/1.1 with one server, over connections that are kept. Follows no redirect, keeps no cookie, and bounds what it
 * takes: in bytes, and in the time for each piece of them.
 *
 * Rejects with `STORE_UNREACHABLE` when there was no answer, or not all of it; whether a request was executed is unknown then.
 * Rejects with `STORE_FAILED` for an answer that is not HTTP, or too long, and with `CANCELLED`.
 */
export class HttpExchanges {
  readonly #agent: HttpAgent;
  readonly #request: typeof httpRequest;
  readonly #idleMs: number;

  /** @param idleMs milliseconds in which a piece must move. */
  constructor(secure: boolean, idleMs: number = EXCHANGE.idleMs) {
    const options = { keepAlive: true, maxSockets: EXCHANGE.connections, scheduling: 'lifo' } as const;
    this.#agent = secure ? new HttpsAgent(options) : new HttpAgent(options);
    this.#request = secure ? httpsRequest : httpRequest;
    this.#idleMs = idleMs;
  }

  async exchange(asked: ExchangeRequest): Promise<Answer> {
    const { method, url, headers, body, signal, what } = asked;
    throwIfCancelled(signal, what);
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const request = this.#request(url, { method, headers: { ...headers, ...length }, agent: this.#agent });
    const watch = new Watch(this.#idleMs, () => request.destroy(new Idle()));
    const cancel = (): void => void request.destroy();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      const coming = answerOf(request);
      await send(request, coming, asked, watch);
      const response = await coming;
      return {
        status: response.statusCode ?? 0,
        headers: headersOf(response),
        body: await receive(response, asked, watch),
      };
    } catch (error) {
      request.destroy();
      throwIfCancelled(signal, what);
      throw isCairnError(error) ? error : exchangeError(error, asked);
    } finally {
      watch.stop();
      signal?.removeEventListener('abort', cancel);
      // An answer that came before all was sent leaves a connection that cannot serve again.
      if (!request.writableFinished) request.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Calls back when nothing moved for too long. */
class Watch {
  readonly #idleMs: number;
  readonly #expired: () => void;
  #timeout: NodeJS.Timeout | undefined;
  #moved = 0;

  constructor(idleMs: number, expired: () => void) {
    this.#idleMs = idleMs;
    this.#expired = expired;
    this.#start();
  }

  #start(): void {
    this.#timeout = setTimeout(this.#expired, this.#idleMs);
  }

  /** Some bytes moved; only whole pieces count, so that one byte a minute is not taken for a transfer. */
  moved(bytes: number): void {
    this.#moved += bytes;
    if (this.#moved < EXCHANGE.piece) return;
    this.#moved = 0;
    this.#timeout?.refresh();
  }

  /** Does not count the time that we ourselves take. */
  async paused(work: Promise<void> | undefined): Promise<void> {
    if (work === undefined) return;
    this.stop();
    await work;
    this.#start();
  }

  stop(): void {
    clearTimeout(this.#timeout);
  }
}

class Idle extends Error {
  override readonly message = 'it does not answer in time';
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const coming = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.once('close', () => reject(new Error('the connection was closed')));
  });
  // Looked at when everything is sent.
  coming.catch(() => undefined);
  return coming;
}

/** Sends the body piece by piece, until all of it is sent or an answer came. */
async function send(
  request: ClientRequest,
  coming: Promise<IncomingMessage>,
  { body, pace }: ExchangeRequest,
  watch: Watch,
): Promise<void> {
  let answered = false;
  const settled = coming.then(
    () => void (answered = true),
    () => void (answered = true),
  );
  for (let at = 0; body !== undefined && at < body.length && !answered; at += EXCHANGE.piece) {
    const piece = body.subarray(at, at + EXCHANGE.piece);
    await watch.paused(pace?.(piece.length));
    if (answered || request.destroyed) return;
    if (request.write(piece)) watch.moved(piece.length);
    else {
      await Promise.race([settled, new Promise((resolve) => request.once('drain', resolve))]);
      watch.moved(piece.length);
    }
  }
  if (!answered) request.end();
}

/** All of the answer's body. An answer to HEAD has none, whatever its length says. */
async function receive(response: IncomingMessage, asked: ExchangeRequest, watch: Watch): Promise<Uint8Array> {
  const announced = asked.method === 'HEAD' ? 0 : Number(response.headers['content-length'] ?? Number.NaN);
  if (announced > asked.most) throw tooLong(asked);
  const pieces: Uint8Array[] = [];
  // With a length the parts need not be kept until they are put together. Not from the pool: the caller owns the bytes.
  const whole = Number.isNaN(announced) ? undefined : new Uint8Array(Buffer.allocUnsafeSlow(announced).buffer);
  let length = 0;
  for await (const piece of response as AsyncIterable<Uint8Array>) {
    if (length + piece.length > (whole?.length ?? asked.most)) throw tooLong(asked);
    if (whole === undefined) pieces.push(piece);
    else whole.set(piece, length);
    length += piece.length;
    watch.moved(piece.length);
    await watch.paused(asked.pace?.(piece.length));
  }
  if (!response.complete || (whole !== undefined && length < whole.length)) throw new Error('the answer was cut off');
  return whole ?? new Uint8Array(Buffer.concat(pieces));
}

function headersOf({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const first: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') first[name] = value;
  return first;
}

function tooLong({ what, most }: ExchangeRequest): CairnError {
  return new CairnError(
    'STORE_FAILED',
    `cannot ${what}: the server sends more than the ${most} bytes that were expected`,
    {
      hint: 'Check that the address is that of a store; do not trust this server otherwise.',
    },
  );
}

function exchangeError(error: unknown, { url, what }: ExchangeRequest): CairnError {
  const code = systemErrorCode(error) ?? '';
  const reason = error instanceof Error ? error.message : String(error);
  const message = `cannot ${what}: ${url.host}: ${reason}`;
  if (UNTRUSTED.test(code)) {
    const hint = 'Check the address, and that the certificate is of an authority that this machine trusts.';
    return new CairnError('STORE_FAILED', `${message} (${code})`, { hint, cause: error });
  }
  // The parser of HTTP: the end came in the middle, or this is no HTTP.
  if (code.startsWith('HPE_') && code !== 'HPE_INVALID_EOF_STATE') {
    const hint = 'Check that the address is that of a store, and whether it is http or https.';
    return new CairnError('STORE_FAILED', `${message} (${code})`, { hint, cause: error });
  }
  return new CairnError('STORE_UNREACHABLE', message, { hint: 'Check the address and the network.', cause: error });
}
