import { CairnError, LIMITS, type ObjectKey } from '@cairn/core/server';
import type { IncomingMessage } from 'node:http';

import type { ObjectHost } from '../repository/object-host.ts';

/** Bytes of the body, as the client announces them. Rejects with `USAGE` (411) when it does not. */
export function announcedBytes(header: string | undefined): number {
  if (header !== undefined && /^\d{1,15}$/.test(header)) return Number(header);
  throw new CairnError('USAGE', 'a put must say its length', { details: { http: 411 } });
}

/** How a body is taken. */
export interface Reception {
  /** Hears of each piece. */
  readonly took: (bytes: number) => void;
  /** Milliseconds in which `LIMITS.serverSlowBytes` must come, or the rest of the body. */
  readonly windowMs: number;
}

/**
 * Takes the body of a request into the store. At most one buffer of it is in memory. Rejects with `USAGE` when it has another length
 * than announced, with `STORE_UNREACHABLE` (408) when it comes too slowly, and as the host does.
 */
export async function takeUpload(
  host: ObjectHost,
  key: ObjectKey,
  incoming: IncomingMessage,
  sizeBytes: number,
  { took, windowMs }: Reception,
): Promise<void> {
  const upload = await host.receive(key, sizeBytes);
  try {
    const buffer = new Gathering((bytes) => upload.write(bytes));
    for await (const bytes of bodyOf(incoming, windowMs)) {
      took(bytes.length);
      if (buffer.total + bytes.length > sizeBytes) throw wrongLength();
      await buffer.add(bytes);
    }
    await buffer.flush();
    if (buffer.total !== sizeBytes) throw wrongLength();
    await upload.commit();
  } finally {
    await upload[Symbol.asyncDispose]();
  }
}

function wrongLength(): CairnError {
  return new CairnError('USAGE', 'the body has another length than was announced');
}

/** The pieces of a body. A client that sends next to nothing for long, or takes for ever, is cut off. */
async function* bodyOf(incoming: IncomingMessage, windowMs: number): AsyncGenerator<Buffer> {
  const slow = (): void => {
    const error = new CairnError('STORE_UNREACHABLE', 'the body comes too slowly', { details: { http: 408 } });
    incoming.destroy(error);
  };
  let moved = 0;
  const window = setInterval(() => {
    if (moved < LIMITS.serverSlowBytes) slow();
    moved = 0;
  }, windowMs);
  const whole = setTimeout(slow, LIMITS.serverUploadMs);
  try {
    for await (const bytes of incoming) {
      moved += (bytes as Buffer).length;
      yield bytes as Buffer;
    }
  } finally {
    clearInterval(window);
    clearTimeout(whole);
  }
}

/** Small pieces become large writes: HTTP/2 brings 16 KiB at a time. */
class Gathering {
  total = 0;
  private readonly write: (bytes: Uint8Array) => Promise<void>;
  private pieces: Buffer[] = [];
  private gathered = 0;

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.write = write;
  }

  async add(bytes: Buffer): Promise<void> {
    this.pieces.push(bytes);
    this.gathered += bytes.length;
    this.total += bytes.length;
    if (this.gathered >= LIMITS.serverBufferBytes) await this.flush();
  }

  async flush(): Promise<void> {
    if (this.gathered === 0) return;
    const [only] = this.pieces;
    const bytes = this.pieces.length === 1 && only !== undefined ? only : Buffer.concat(this.pieces, this.gathered);
    this.pieces = [];
    this.gathered = 0;
    await this.write(bytes);
  }
}
