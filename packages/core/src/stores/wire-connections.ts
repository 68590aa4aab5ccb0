import { FAR_STORE } from '../limits.ts';
import { WireConnection, type Connect } from './wire-connection.ts';
import type { WireAnswer, WireRequest } from './wire-exchange.ts';

/**
 * The connections to one server. There is one, until much was moved over a long way: a connection carries at most its window in the
 * time there and back, so more of them carry more. They are opened one by one beside the work, and each request takes the one with
 * the fewest in flight.
 */
export class WireConnections {
  private readonly connect: Connect;
  private readonly first: WireConnection;
  private readonly open: WireConnection[];
  /** How many there may be; what the server does not grant is not asked for again. */
  private most: number;
  private movedBytes = 0;
  private roundTripMs: Promise<number> | undefined;
  private isGrowing = false;
  /** The one that is being opened. */
  private next: WireConnection | undefined;

  constructor(connect: Connect, most: number) {
    this.connect = connect;
    this.most = most;
    this.first = new WireConnection(connect);
    this.open = [this.first];
  }

  /** Rejects as `WireConnection.send` does; the other connections go on. */
  async send(request: WireRequest): Promise<WireAnswer> {
    const quietest = this.open.reduce((best, one) => (one.requests < best.requests ? one : best), this.first);
    const answer = await quietest.send(request);
    if (this.most > 1) this.count((request.body?.length ?? 0) + answer.body.length);
    return answer;
  }

  async close(): Promise<void> {
    this.most = 0;
    // One that is being opened is not waited for: nothing keeps the process alive for it.
    await Promise.all([...this.open, ...(this.next === undefined ? [] : [this.next])].map((one) => one.close()));
  }

  private count(bytes: number): void {
    this.movedBytes += bytes;
    // Asked at once: later, the question would wait behind data, and every way would look long.
    this.roundTripMs ??= this.first.roundTripMs().catch(() => 0);
    if (this.movedBytes < FAR_STORE.bytes || this.open.length >= this.most || this.isGrowing) return;
    this.isGrowing = true;
    void this.grow(this.roundTripMs).finally(() => (this.isGrowing = false));
  }

  /** One more, if it helps. Nothing is lost where that fails: there is the first. */
  private async grow(roundTripMs: Promise<number>): Promise<void> {
    if ((await roundTripMs) < FAR_STORE.roundTripMs) this.most = Math.min(this.most, 1);
    if (this.open.length >= this.most) return;
    const next = new WireConnection(this.connect);
    this.next = next;
    try {
      await next.roundTripMs();
      this.open.push(next);
    } catch {
      this.most = Math.min(this.most, this.open.length);
      await next.close();
    } finally {
      this.next = undefined;
    }
  }
}
