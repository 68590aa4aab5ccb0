import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as a test sees it. */
export interface Asked {
  readonly method: string;
  /** Below the bucket; empty for a listing. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly range: string | undefined;
}

/** Answers in the place of the server; false lets the server answer as it should. */
export type Trick = (asked: Asked, response: ServerResponse, server: S3Server) => boolean;

const BUCKET = 'bucket';
const PAGE = 100;

/**
 * The part of S3 that a store uses, over objects in memory, without a look at signatures: for a server that plays tricks. What an
 * honest one does is proved against a real service.
 */
export class S3Server {
  readonly objects = new Map<string, Buffer>();
  trick: Trick | undefined;
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
  }

  get address(): string {
    const { port } = this.server.address() as AddressInfo;
    return `s3://${BUCKET}/repo?endpoint=http://127.0.0.1:${port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  /** The paths of the objects of a kind, in order. */
  paths(kind: string): string[] {
    return [...this.objects.keys()].filter((path) => path.startsWith(`repo/${kind}/`)).sort();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://host');
    const path = decodeURIComponent(url.pathname).slice(BUCKET.length + 2);
    const { method = '' } = request;
    const body = method === 'PUT' ? await bodyOf(request) : Buffer.alloc(0);
    const asked = { method, path, query: url.searchParams, range: request.headers.range };
    if (this.trick?.(asked, response, this) === true) return;
    if (path === '') this.list(url.searchParams, response);
    else if (method === 'PUT') this.put(path, body, response);
    else if (method === 'DELETE') response.writeHead(this.objects.delete(path) ? 204 : 204).end();
    else this.get(path, request, response);
  }

  private put(path: string, body: Buffer, response: ServerResponse): void {
    if (this.objects.has(path)) return error(response, 412, 'PreconditionFailed');
    this.objects.set(path, body);
    response.writeHead(200, { etag: createHash('md5').update(body).digest('hex') }).end();
  }

  /** Gives an object, or the part of it that is asked for. */
  get(path: string, { method, headers }: Pick<IncomingMessage, 'method' | 'headers'>, response: ServerResponse): void {
    const object = this.objects.get(path);
    if (object === undefined) return error(response, 404, 'NoSuchKey');
    if (method === 'HEAD') return void response.writeHead(200, { 'content-length': object.length }).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    if (first === undefined) return void response.writeHead(200, { 'content-length': object.length }).end(object);
    if (Number(first) >= object.length) return error(response, 416, 'InvalidRange');
    const part = object.subarray(Number(first), Number(last) + 1);
    const range = `bytes ${first}-${Number(first) + part.length - 1}/${object.length}`;
    response.writeHead(206, { 'content-length': part.length, 'content-range': range }).end(part);
  }

  private list(query: URLSearchParams, response: ServerResponse): void {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const paths = [...this.objects.keys()].filter((path) => path.startsWith(prefix) && path > after).sort();
    response.end(page(paths.slice(0, PAGE), paths.length > PAGE ? paths[PAGE - 1] : undefined, this.objects));
  }
}

/** A page of a listing. */
export function page(paths: readonly string[], next: string | undefined, objects: ReadonlyMap<string, Buffer>): string {
  const contents = paths.map(
    (path) =>
      `<Contents><Key>${encodeURIComponent(path)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>` +
      `<Size>${objects.get(path)?.length ?? 0}</Size></Contents>`,
  );
  const more =
    next === undefined
      ? '<IsTruncated>false</IsTruncated>'
      : `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`;
  return `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>${more}${contents.join('')}</ListBucketResult>`;
}

function error(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status).end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>so it is</Message></Error>`);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
