import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import { CairnError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Bytes of a body that are handed on at once: between two such pieces it shows whether anything moves. */
const PIECE_BYTES = 256 * 1024;
/** How often it is said that a request waits for its own pace, milliseconds: more often than any silence ends. */
const HOLD_MS = 100;

export interface WireRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body?: Uint8Array;
  /** Bytes that the body of a good answer may have. */
  readonly most: number;
  /** Bytes that it has, where that is known. */
  readonly expected?: number;
  readonly signal?: AbortSignal;
  /** As in `CallOptions`. */
  readonly pace?: (bytes: number) => Promise<void>;
  /** Milliseconds; see `LIMITS.wireSilenceMs`. */
  readonly silenceMs: number;
  /** The action and its object, for messages. */
  readonly what: string;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/**
 * Sends a request and takes the answer, whose body is bounded. An answer that comes before the request was sent whole counts.
 * Rejects with `CANCELLED`, with `LIMIT_EXCEEDED` when the answer is too long, with `STORE_UNREACHABLE` when it is cut off,
 * and otherwise, when the connection broke, with whatever the stream tells.
 */
export async function exchange(session: ClientHttp2Session, request: WireRequest): Promise<WireAnswer> {
  const { method, path, headers, body, signal, silenceMs, what } = request;
  const stream = session.request(
    {
      [constants.HTTP2_HEADER_METHOD]: method,
      [constants.HTTP2_HEADER_PATH]: path,
      ...headers,
      ...(body === undefined ? {} : { [constants.HTTP2_HEADER_CONTENT_LENGTH]: body.length }),
    },
    { endStream: body === undefined },
  );
  // What fails is told once, by `settled`; an error that follows it is of no interest.
  stream.on('error', () => undefined);
  const stop = (error: Error): void => void stream.destroy(error);
  const cancel = (): void => stop(new CairnError('CANCELLED', `cancelled: ${what}`, { cause: signal?.reason }));
  signal?.addEventListener('abort', cancel, { once: true });
  const silence = setTimeout(
    () => stop(new CairnError('STORE_UNREACHABLE', `cannot ${what}: the server does not answer`)),
    silenceMs,
  );
  let answered = false;
  try {
    if (signal?.aborted === true) cancel();
    const answer = answerOf(stream, request, silence);
    if (body !== undefined) sendBody(stream, body, request, silence).catch(stop);
    const whole = await answer;
    answered = true;
    return whole;
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', cancel);
    // Not one that ended on both sides: a reset would go out all the same, and of too many resets servers take a client for hostile.
    if (!answered || stream.writable) stream.close(constants.NGHTTP2_CANCEL);
  }
}

/** Ends quietly when the stream does: the answer tells what happened. Rejects when its pace does. */
async function sendBody(
  stream: ClientHttp2Stream,
  body: Uint8Array,
  { pace }: WireRequest,
  silence: NodeJS.Timeout,
): Promise<void> {
  const closed = new Promise<void>((resolve) => void stream.once('close', resolve));
  for (let start = 0; start < body.length && stream.writable; start += PIECE_BYTES) {
    const piece = body.subarray(start, start + PIECE_BYTES);
    await paced(pace?.(piece.length), silence);
    if (!stream.writable) return;
    const taken = new Promise<void>((resolve) => void stream.write(piece, () => resolve()));
    await Promise.race([taken, closed]);
    silence.refresh();
  }
  if (stream.writable) stream.end();
}

/** Waits for the caller's own pace, which is nobody's silence. */
async function paced(wait: Promise<void> | undefined, silence: NodeJS.Timeout): Promise<void> {
  if (wait === undefined) return;
  const holding = setInterval(() => silence.refresh(), HOLD_MS);
  try {
    await wait;
  } finally {
    clearInterval(holding);
    silence.refresh();
  }
}

function answerOf(stream: ClientHttp2Stream, request: WireRequest, silence: NodeJS.Timeout): Promise<WireAnswer> {
  const { most, what, pace } = request;
  return new Promise((resolve, reject) => {
    let headers: IncomingHttpHeaders | undefined;
    let room: Room | undefined;
    let moved = 0;
    stream.on('response', (received) => {
      silence.refresh();
      headers = received;
      const status = received[constants.HTTP2_HEADER_STATUS];
      const good = Number(status) < 400;
      const declared = request.method === 'HEAD' ? undefined : received[constants.HTTP2_HEADER_CONTENT_LENGTH];
      room = new Room(good ? most : LIMITS.wireErrorBytes, declared === undefined ? undefined : Number(declared));
      if (room.tooLong) stream.destroy(tooLong(what));
    });
    stream.on('data', (bytes: Buffer) => {
      moved += bytes.length;
      if (moved >= LIMITS.wireSlowBytes) {
        moved = 0;
        silence.refresh();
      }
      if (room === undefined || !room.take(bytes)) {
        stream.destroy(tooLong(what));
        return;
      }
      if (pace === undefined) return;
      stream.pause();
      paced(pace(bytes.length), silence).then(
        () => void stream.resume(),
        (error: unknown) => void stream.destroy(error as Error),
      );
    });
    stream.on('end', () => {
      if (headers === undefined || room === undefined) return;
      // A connection that is cut ends its streams quietly; without a length nothing else tells what is missing.
      const isWhole = room.complete && (room.measured || stream.session?.destroyed === false);
      if (!isWhole) reject(new CairnError('STORE_UNREACHABLE', `cannot ${what}: the answer was cut off`));
      else resolve({ status: Number(headers[constants.HTTP2_HEADER_STATUS]), headers, body: room.bytes() });
    });
    stream.on('error', reject);
    stream.on('close', () => {
      const code = stream.rstCode;
      reject(new CairnError('STORE_UNREACHABLE', `cannot ${what}: the server ended the request (HTTP/2 code ${code})`));
    });
  });
}

function tooLong(what: string): CairnError {
  return new CairnError('LIMIT_EXCEEDED', `cannot ${what}: the server sends more than was asked for`, {
    hint: 'The server is faulty or hostile.',
  });
}

/** Memory for a body: all at once when its length is known, in pieces otherwise, and never more than the bound. */
class Room {
  readonly tooLong: boolean;
  private readonly most: number;
  private readonly whole: Buffer | undefined;
  private readonly pieces: Buffer[] = [];
  private length = 0;

  constructor(most: number, declared: number | undefined) {
    this.most = Math.min(most, declared ?? most);
    this.tooLong = declared !== undefined && !(declared <= most);
    if (declared !== undefined && !this.tooLong) this.whole = Buffer.allocUnsafeSlow(declared);
  }

  /** False when it is more than there may be. */
  take(bytes: Buffer): boolean {
    if (this.length + bytes.length > this.most) return false;
    if (this.whole === undefined) this.pieces.push(bytes);
    else bytes.copy(this.whole, this.length);
    this.length += bytes.length;
    return true;
  }

  /** The length was told beforehand. */
  get measured(): boolean {
    return this.whole !== undefined;
  }

  get complete(): boolean {
    return this.whole === undefined || this.length === this.whole.length;
  }

  bytes(): Uint8Array {
    const bytes = this.whole ?? Buffer.concat(this.pieces);
    // Memory of its own: what is joined from pieces may lie in a pool that others share.
    return this.whole === undefined ? new Uint8Array(bytes) : new Uint8Array(bytes.buffer, 0, bytes.length);
  }
}
