import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { ServerResponse } from 'node:http';

import type { Services } from '../services.ts';
import { safetyHeaders } from './safety-headers.ts';
import type { Call } from './route.ts';

/** Takes the next bytes of an answer; what it gives is waited for before there are more. Rejects once nobody reads any more. */
export type StreamSink = (bytes: Uint8Array) => Promise<void>;

/** Gives an answer piece by piece. `signal` fires when its reader is gone. */
export type Produce = (sink: StreamSink, signal: AbortSignal) => Promise<void>;

/** What stands before the content. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Answers a request piece by piece. Rejects with what `produce` does, as long as nothing was sent. */
export type SendStream = (head: AnswerHead, produce: Produce) => Promise<Response>;

/**
 * Answers one request by a stream, no faster than it is read. What fails before the first byte is an error like any other; after that the
 * connection is cut, so that what was sent does not look whole, and `onFailure` is told why.
 */
export function streamAnswer(
  { context }: Pick<Call, 'context'>,
  services: Pick<Services, 'config'>,
  onFailure: (error: unknown) => void,
): SendStream {
  const { outgoing } = context.env;
  return async ({ status, headers }, produce) => {
    const stream = new OutgoingStream(outgoing, { status, headers: { ...safetyHeaders(services), ...headers } });
    if (context.req.method === 'HEAD') {
      stream.end();
      return RESPONSE_ALREADY_SENT;
    }
    const done = produce((bytes) => stream.write(bytes), stream.signal).then(
      () => stream.end(),
      (error: unknown) => {
        // Nobody is there any more to be told, and nothing failed.
        if (stream.signal.aborted) return;
        if (!stream.hasBegun) throw error;
        onFailure(error);
        outgoing.destroy();
      },
    );
    await Promise.race([stream.begun, done]);
    return RESPONSE_ALREADY_SENT;
  };
}

class OutgoingStream {
  /** Fires when the connection is gone. */
  readonly signal: AbortSignal;
  /** Resolves when the first bytes were sent. */
  readonly begun: Promise<void>;
  private readonly outgoing: ServerResponse;
  private readonly head: AnswerHead;
  private begin: () => void = () => undefined;

  constructor(outgoing: ServerResponse, head: AnswerHead) {
    this.outgoing = outgoing;
    this.head = head;
    this.begun = new Promise((resolve) => (this.begin = resolve));
    const gone = new AbortController();
    this.signal = gone.signal;
    outgoing.once('close', () => gone.abort(new Error('the reader is gone')));
  }

  get hasBegun(): boolean {
    return this.outgoing.headersSent;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.signal.throwIfAborted();
    this.sendHead();
    if (bytes.length === 0 || this.outgoing.write(bytes)) return;
    await this.drained();
    this.signal.throwIfAborted();
  }

  end(): void {
    if (this.signal.aborted) return;
    this.sendHead();
    this.outgoing.end();
  }

  private sendHead(): void {
    if (this.hasBegun) return;
    this.outgoing.writeHead(this.head.status, this.head.headers);
    this.begin();
  }

  private drained(): Promise<void> {
    const { outgoing, signal } = this;
    return new Promise((resolve) => {
      const done = (): void => {
        outgoing.off('drain', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      outgoing.once('drain', done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
