import type { ClientHttp2Session } from 'node:http2';
import { CairnError, isCairnError } from '../errors.ts';
import { exchange, type WireAnswer, type WireRequest } from './wire-exchange.ts';

/** How often a connection with requests in flight is asked whether it lives, and how long the answer may take; milliseconds. */
const PING_EVERY_MS = 15_000;
const PONG_WITHIN_MS = 30_000;

/** A connection to a server, made by a carrier: TLS, or the stdio of `ssh`. */
export interface Link {
  readonly session: ClientHttp2Session;
  /** Waits for what the carrier has to say about its end; undefined when that is nothing. */
  readonly failure: () => Promise<CairnError | undefined>;
  /** Whether the process may end while the link is open. */
  readonly hold: (inUse: boolean) => void;
  readonly close: () => void;
}

/** Opens a link. Rejects with `STORE_UNREACHABLE`, `STORE_DENIED` or `STORE_UNTRUSTED`. */
export type Connect = () => Promise<Link>;

/**
 * One connection that is opened when it is needed, shared by all requests, and opened again after it broke. A request that
 * was in flight then rejects; nothing is sent twice.
 */
export class WireConnection {
  private readonly connect: Connect;
  private link: Promise<Link> | undefined;
  private inFlight = 0;
  private expectedBytes = 0;

  constructor(connect: Connect) {
    this.connect = connect;
  }

  /** Rejects with `STORE_UNREACHABLE` when the connection breaks, and as `exchange` and the carrier do. */
  async send(request: WireRequest): Promise<WireAnswer> {
    const bytes = bytesOf(request);
    this.expectedBytes += bytes;
    try {
      return await this.sendOn(await this.open(request.what), request);
    } finally {
      this.expectedBytes -= bytes;
    }
  }

  /** What the requests that wait for their answer will move, as far as that is known. */
  get bytesToMove(): number {
    return this.expectedBytes;
  }

  private async sendOn(link: Link, request: WireRequest): Promise<WireAnswer> {
    this.inFlight += 1;
    if (this.inFlight === 1) link.hold(true);
    try {
      return await exchange(link.session, request);
    } catch (error) {
      if (isCairnError(error) && error.code !== 'STORE_UNREACHABLE') throw error;
      if (!link.session.closed && !link.session.destroyed && isCairnError(error)) throw error;
      throw await broken(link, request.what, error);
    } finally {
      this.inFlight -= 1;
      if (this.inFlight === 0) link.hold(false);
    }
  }

  /**
   * Milliseconds to the server and back. Opens the connection if there is none; rejects when it breaks. Nothing keeps the process
   * alive for it.
   */
  async roundTripMs(): Promise<number> {
    const { session } = await this.open('reach the server');
    return await new Promise((resolve, reject) => {
      session.ping((error: Error | null, ms) => (error === null ? resolve(ms) : reject(error)));
    });
  }

  private async open(what: string): Promise<Link> {
    this.link ??= this.start();
    try {
      return await this.link;
    } catch (error) {
      if (isCairnError(error)) throw withAction(error, what);
      throw error;
    }
  }

  private start(): Promise<Link> {
    const opening = this.connect().then((link) => {
      const forget = (): void => {
        if (this.link === opening) this.link = undefined;
      };
      link.session.once('close', forget);
      // No new requests on it; those in flight may end.
      link.session.once('goaway', forget);
      keepAlive(link.session, () => this.inFlight > 0);
      return link;
    });
    // The next request tries anew.
    opening.catch(() => {
      if (this.link === opening) this.link = undefined;
    });
    return opening;
  }

  async close(): Promise<void> {
    const [settled] = await Promise.allSettled([this.link]);
    this.link = undefined;
    if (settled.status === 'fulfilled') settled.value?.close();
  }
}

/** What a request will move, as far as that is known. */
export function bytesOf({ body, expected = 0 }: WireRequest): number {
  return (body?.length ?? 0) + expected;
}

/** Tells the end of a link as the store's error. */
async function broken(link: Link, what: string, cause: unknown): Promise<CairnError> {
  const failure = await link.failure();
  if (failure !== undefined) return withAction(failure, what);
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new CairnError('STORE_UNREACHABLE', `cannot ${what}: the connection broke: ${reason}`, { cause });
}

function withAction(error: CairnError, what: string): CairnError {
  const { code, message, hint, cause } = error;
  return new CairnError(code, `cannot ${what}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause });
}

/** Ends a session that does not answer any more: a link that was cut gives no sign of its own for many minutes. */
function keepAlive(session: ClientHttp2Session, busy: () => boolean): void {
  let waiting: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    if (!busy() || waiting !== undefined || session.destroyed) return;
    waiting = setTimeout(() => session.destroy(new Error('the server does not answer')), PONG_WITHIN_MS);
    waiting.unref();
    session.ping(() => {
      clearTimeout(waiting);
      waiting = undefined;
    });
  }, PING_EVERY_MS);
  timer.unref();
  session.once('close', () => {
    clearInterval(timer);
    clearTimeout(waiting);
  });
}
