import { FAR_STORE } from '../limits.ts';
import { bytesOf, WireConnection, type Connect } from './wire-connection.ts';
import type { WireAnswer, WireRequest } from './wire-exchange.ts';

/** Bytes from which a request is better off with a connection of its own than on one with much to move. */
const LARGE_BYTES = 1024 * 1024;

/**
 * The connections to one server. There is one, until much is moved over a long way: a connection carries at most its window in the
 * time there and back, so more of them carry more. They are opened beside the work, and each request takes the one that has the
 * fewest bytes to move.
 */
export class WireConnections {
  private readonly connect: Connect;
  private readonly first: WireConnection;
  private readonly open: WireConnection[];
  /** Those that are being opened. */
  private readonly coming = new Set<WireConnection>();
  /** How many there may be; what the server does not grant is not asked for again. */
  private most: number;
  private movedBytes = 0;
  private roundTripMs: Promise<number> | undefined;
  /** Requests that wait until a connection has come, or has moved what it had. */
  private readonly waiting: (() => void)[] = [];

  constructor(connect: Connect, most: number) {
    this.connect = connect;
    this.most = most;
    this.first = new WireConnection(connect);
    this.open = [this.first];
  }

  /** Rejects as `WireConnection.send` does; the other connections go on. */
  async send(request: WireRequest): Promise<WireAnswer> {
    if (this.most === 1) return await this.first.send(request);
    const bytes = bytesOf(request);
    this.count(bytes);
    // All on the first one, what a backup or a restore has under way would go at a fraction of its speed, to the end.
    while (bytes >= LARGE_BYTES && this.coming.size > 0 && this.quietest().bytesToMove >= FAR_STORE.bytes) {
      await new Promise<void>((resolve) => void this.waiting.push(resolve));
    }
    try {
      const answer = await this.quietest().send(request);
      // Asked at once: later, the question would wait behind data, and every way would look long.
      this.roundTripMs ??= this.first.roundTripMs().catch(() => 0);
      if (request.expected === undefined) this.count(answer.body.length);
      return answer;
    } finally {
      this.wake();
    }
  }

  async close(): Promise<void> {
    this.most = 0;
    // One that is being opened is not waited for: nothing keeps the process alive for it.
    await Promise.all([...this.open, ...this.coming].map((one) => one.close()));
  }

  private quietest(): WireConnection {
    return this.open.reduce((best, one) => (one.bytesToMove < best.bytesToMove ? one : best), this.first);
  }

  private wake(): void {
    for (const go of this.waiting.splice(0)) go();
  }

  private count(bytes: number): void {
    this.movedBytes += bytes;
    const connections = this.open.length + this.coming.size;
    const isMuch = this.movedBytes >= FAR_STORE.bytes * connections;
    if (isMuch && connections < this.most && this.roundTripMs !== undefined) void this.grow(this.roundTripMs);
  }

  /** One more, if it helps. Nothing is lost where that fails: there is the first. */
  private async grow(roundTripMs: Promise<number>): Promise<void> {
    const next = new WireConnection(this.connect);
    this.coming.add(next);
    try {
      if ((await roundTripMs) < FAR_STORE.roundTripMs) this.most = Math.min(this.most, 1);
      if (this.open.length >= this.most) return;
      await next.roundTripMs();
      this.open.push(next);
    } catch {
      this.most = Math.min(this.most, this.open.length);
      await next.close();
    } finally {
      this.coming.delete(next);
      this.wake();
    }
  }
}
