import { request, type OutgoingHttpHeaders } from 'node:http';

export interface RawAnswer {
  readonly status: number;
  readonly type: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method: string;
  /** Sent as it is, whatever is in it. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array | undefined;
}

/** Sends a request without the care that `fetch` takes. What streams for ever is let go after its headers. */
export function rawRequest(address: string, { method, path, headers = {}, body }: RawRequest): Promise<RawAnswer> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: hostname, port, method, path, headers, agent: false }, (response) => {
      const type = String(response.headers['content-type'] ?? '');
      const status = response.statusCode ?? 0;
      const parts: Buffer[] = [];
      const done = (): void => {
        resolve({ status, type, headers: response.headers, text: Buffer.concat(parts).toString() });
      };
      if (type.startsWith('text/event-stream')) {
        done();
        response.destroy();
        return;
      }
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', done);
      // A server may answer and cut off a body that is too long.
      response.once('error', done);
    });
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}
