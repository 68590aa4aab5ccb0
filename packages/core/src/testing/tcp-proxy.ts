import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Bytes on the way in one direction from which on no more are taken: what a wide link has under way in a second. */
const ON_THE_WAY_BYTES = 64 * 1024 * 1024;

/** Something to do to a connection when it has carried so many bytes in both directions together. */
export interface Accident {
  readonly afterBytes: number;
  /** cut: both ends are closed; reset: both get a TCP reset; stall: nothing moves for `stallMs`. */
  readonly kind: 'cut' | 'reset' | 'stall';
  readonly stallMs?: number;
}

/**
 * For tests and measurements: a way to a server on this machine that is long, and on which accidents happen. It stands in for network
 * emulation of the kernel, which needs rights and modules.
 */
export class TcpProxy implements AsyncDisposable {
  /** Milliseconds that bytes are on their way, each way. */
  delayMs = 0;
  /** Taken by the next connections in turn, one for each. */
  readonly accidents: Accident[] = [];
  /** How many happened. */
  happened = 0;
  /** How many connections there were. */
  connections = 0;
  readonly port: number;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.server = server;
    this.port = port;
  }

  /** Listens on a free loopback port and hands everything on to that one. */
  static async start(target: number): Promise<TcpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new TcpProxy(server, (server.address() as AddressInfo).port);
    server.on('connection', (near) => proxy.join(near, connect(target, '127.0.0.1')));
    return proxy;
  }

  /** Ends every connection at once. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    await closed;
  }

  private join(near: Socket, far: Socket): void {
    const pair = [near, far] as const;
    this.connections += 1;
    const trip = new Trip(pair, this.accidents.shift(), () => (this.happened += 1));
    for (const socket of pair) {
      socket.setNoDelay(true);
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.sockets.delete(socket);
        for (const end of pair) end.destroy();
      });
    }
    carry(near, far, trip, () => this.delayMs);
    carry(far, near, trip, () => this.delayMs);
  }
}

/** What both directions of a connection share. */
class Trip {
  private readonly pair: readonly Socket[];
  private readonly accident: Accident | undefined;
  private readonly happens: () => void;
  private bytes = 0;
  private done = false;
  private stalledUntil = 0;

  constructor(pair: readonly Socket[], accident: Accident | undefined, happens: () => void) {
    this.pair = pair;
    this.accident = accident;
    this.happens = happens;
  }

  /** Milliseconds that what is to go now has to wait beyond its way. */
  get stallMs(): number {
    return Math.max(0, this.stalledUntil - performance.now());
  }

  /** Counts bytes that arrive here; false when they get no further. */
  pass(bytes: number): boolean {
    this.bytes += bytes;
    const { accident } = this;
    if (accident === undefined || this.done || this.bytes < accident.afterBytes) return true;
    this.done = true;
    this.happens();
    if (accident.kind === 'stall') {
      this.stalledUntil = performance.now() + (accident.stallMs ?? 0);
      return true;
    }
    for (const socket of this.pair) {
      if (accident.kind === 'reset') socket.resetAndDestroy();
      else socket.destroy();
    }
    return false;
  }
}

/** Hands on what `from` sends, each piece when its time has come, in order. */
function carry(from: Socket, to: Socket, trip: Trip, delayMs: () => number): void {
  const waiting: { readonly due: number; readonly bytes: Buffer | undefined }[] = [];
  let held = 0;
  let timer: NodeJS.Timeout | undefined;
  const release = (): void => {
    timer = undefined;
    for (let [next] = waiting; next !== undefined; [next] = waiting) {
      const wait = Math.max(next.due - performance.now(), trip.stallMs);
      if (wait > 0) {
        timer = setTimeout(release, Math.ceil(wait));
        return;
      }
      waiting.shift();
      if (next.bytes === undefined) to.end();
      else {
        held -= next.bytes.length;
        to.write(next.bytes);
      }
    }
    if (held + to.writableLength < ON_THE_WAY_BYTES) from.resume();
  };
  const take = (bytes: Buffer | undefined): void => {
    if (bytes !== undefined && !trip.pass(bytes.length)) return;
    held += bytes?.length ?? 0;
    waiting.push({ due: performance.now() + delayMs(), bytes });
    if (held + to.writableLength >= ON_THE_WAY_BYTES) from.pause();
    if (timer === undefined) release();
  };
  from.on('data', take);
  from.once('end', () => take(undefined));
  to.on('drain', () => {
    if (held + to.writableLength < ON_THE_WAY_BYTES) from.resume();
  });
  to.once('close', () => clearTimeout(timer));
}
