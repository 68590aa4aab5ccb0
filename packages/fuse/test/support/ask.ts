import { request, type IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** False when the connection ended before the answer did. */
  readonly complete: boolean;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks a server of this machine for a path as it is: `fetch` would tidy it up. The password is `secret`. */
export function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const auth = { Authorization: `Basic ${Buffer.from('any:secret').toString('base64')}` };
    const asked = request(
      { port, host: '127.0.0.1', path, method, headers: { ...auth, ...length, ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        // What broke off shows in `complete`.
        response.on('error', () => undefined);
        response.on('close', () => {
          const { statusCode: status = 0, headers: given, complete } = response;
          resolve({ status, headers: given, body: Buffer.concat(parts), complete });
        });
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}
