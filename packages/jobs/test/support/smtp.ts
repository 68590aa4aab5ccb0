import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export const USER = 'panel';
export const PASSWORD = 'geheim 123';

/** A mail as the server got it. */
export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly secure: boolean;
  readonly user: string | undefined;
}

/** A mail server on loopback, with a certificate for localhost. */
export class Smtp {
  readonly received: Received[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'cairn-smtp-'));
  private readonly server: SMTPServer;

  private constructor(options: SMTPServerOptions) {
    const at = (name: string): string => join(this.directory, name);
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('key.pem')];
    execFileSync('openssl', ['req', '-x509', ...key, '-out', at('ca.pem'), '-days', '2', ...subject], {
      stdio: 'pipe',
    });
    this.server = new SMTPServer({
      cert: readFileSync(at('ca.pem')),
      key: readFileSync(at('key.pem')),
      onAuth: ({ username, password }, _session, done) => {
        if (username === USER && password === PASSWORD) done(null, { user: USER });
        else done(new Error(`535 no: ${password ?? ''}`));
      },
      onData: (stream, { envelope, secure, user }, done) => {
        const pieces: Buffer[] = [];
        stream.on('data', (piece: Buffer) => pieces.push(piece));
        stream.on('end', () => {
          const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
          const text = Buffer.concat(pieces).toString('utf8');
          const to = envelope.rcptTo.map(({ address }) => address);
          this.received.push({ from, to, text, secure, user: typeof user === 'string' ? user : undefined });
          done();
        });
      },
      ...options,
    });
    // A client that goes away in the middle.
    this.server.on('error', () => undefined);
  }

  static async start(options: SMTPServerOptions = {}): Promise<Smtp> {
    const smtp = new Smtp(options);
    await new Promise<void>((resolve) => smtp.server.listen(0, '127.0.0.1', resolve));
    return smtp;
  }

  get port(): number {
    return (this.server.server.address() as AddressInfo).port;
  }

  /** The certificate, which is its own authority. */
  get ca(): string {
    return join(this.directory, 'ca.pem');
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.server.close(resolve));
    rmSync(this.directory, { recursive: true });
  }
}

/** A server that takes connections and says nothing. */
export class SilentServer {
  private readonly sockets: Socket[] = [];
  private readonly server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    this.sockets.push(socket);
  });

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.sockets.filter((socket) => !socket.destroyed).length;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
