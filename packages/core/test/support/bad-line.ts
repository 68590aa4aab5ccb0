import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What a line does to what passes through it. May be changed while it is in use. */
export interface LineState {
  /** Milliseconds for each way. */
  delayMs: number;
  /** Bytes for each second and connection, in each direction. */
  bytesPerS: number;
  /** A connection is reset when so many bytes went through it. */
  resetAfter: number;
  /** Nothing passes, and nobody is told. */
  stalled: boolean;
}

interface Piece {
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

/** A TCP proxy on loopback that is as bad as a test wants: slow, narrow, stalled, cut, or reset again and again. */
export class BadLine {
  readonly state: LineState = { delayMs: 0, bytesPerS: Infinity, resetAfter: Infinity, stalled: false };
  /** Bytes that clients sent. */
  sentBytes = 0;
  /** Called as clients send, with all bytes so far. */
  onSent: ((bytes: number) => void) | undefined;
  private readonly sockets = new Set<Socket>();
  private readonly server: Server;
  private readonly target: number;
  private isCut = false;

  private constructor(target: number) {
    this.target = target;
    this.server = createServer({ allowHalfOpen: true }, (client) => this.join(client));
  }

  /** @param target port on loopback. */
  static async start(target: number): Promise<BadLine> {
    const line = new BadLine(target);
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resets every connection, and each new one, until it is mended. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.isCut = false;
    this.state.stalled = false;
  }

  /** Ends what the server sends, as a server does that was asked to stop; the other direction stays open. */
  halfClose(): void {
    for (const socket of this.sockets) socket.end();
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private join(client: Socket): void {
    if (this.isCut) {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ port: this.target, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, server]) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.sockets.delete(socket));
    }
    const reset = (): void => {
      client.resetAndDestroy();
      server.resetAndDestroy();
    };
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
    let passed = 0;
    const count = (bytes: number): void => {
      passed += bytes;
      if (passed > this.state.resetAfter) reset();
    };
    client.on('data', ({ length }: Buffer) => {
      this.sentBytes += length;
      this.onSent?.(this.sentBytes);
    });
    this.carry(client, server, count);
    this.carry(server, client, count);
  }

  /** Hands on what comes, each piece when its time has come. */
  private carry(from: Socket, to: Socket, count: (bytes: number) => void): void {
    const queue: Piece[] = [];
    let freeMs = 0;
    let timer: NodeJS.Timeout | undefined;
    const pass = (): void => {
      timer = undefined;
      if (this.state.stalled) {
        timer = setTimeout(pass, 20);
        return;
      }
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        const waitMs = next.dueMs - performance.now();
        if (waitMs > 0) {
          timer = setTimeout(pass, waitMs);
          return;
        }
        queue.shift();
        if (next.bytes === undefined) to.end();
        else if (!to.destroyed && !to.writableEnded) to.write(next.bytes);
      }
      from.resume();
    };
    const take = (bytes: Buffer | undefined): void => {
      const nowMs = performance.now();
      freeMs = Math.max(nowMs, freeMs) + ((bytes?.length ?? 0) * 1000) / this.state.bytesPerS;
      queue.push({ bytes, dueMs: freeMs + this.state.delayMs });
      // Not more than a second's worth is under way.
      if (freeMs - nowMs > 1_000 || this.state.stalled) from.pause();
      timer ??= setTimeout(pass, 0);
      if (bytes !== undefined) count(bytes.length);
    };
    from.on('data', take);
    from.on('end', () => take(undefined));
  }
}
