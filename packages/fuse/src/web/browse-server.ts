import { displayName, ENTRY_KIND, partOf } from '@cairn/core';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { Refusal } from '../filesystem/refusal.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { DirectoryPage } from './directory-page.ts';
import { entityTag, fileHeaders, SAFE_HEADERS } from './headers.ts';
import { namesOfUrl, urlOfNames } from './paths.ts';
import { MULTISTATUS_BEGIN, MULTISTATUS_END, parsePropfind, propfindResponse } from './propfind.ts';
import { Resources, type Resource } from './resources.ts';

const METHODS = 'OPTIONS, GET, HEAD, PROPFIND';
/** Bytes of the longest body of a PROPFIND. */
const MOST_BODY_BYTES = 64 * 1024;

export interface BrowseOptions extends AdmissionOptions {
  readonly fileSystem: ArchiveFileSystem;
  /** Address to listen at. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly onProblem: (text: string) => void;
}

/** A server that is up. */
export interface Browsing extends AsyncDisposable {
  readonly port: number;
}

/**
 * Shows a file system over HTTP: pages for browsers, and WebDAV class 1 (RFC 4918) for file managers. Read-only: every other
 * method is refused. Rejects with the system's error when it cannot listen.
 */
export async function browse(options: BrowseOptions): Promise<Browsing> {
  const handler = new BrowseHandler(options);
  const server = createServer((request, response) => void handler.handle(request, response));
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => await stop(server) };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

class BrowseHandler {
  private readonly admission: Admission;
  private readonly resources: Resources;
  private readonly onProblem: (text: string) => void;

  constructor(options: BrowseOptions) {
    this.admission = new Admission(options);
    this.resources = new Resources(options.fileSystem);
    this.onProblem = options.onProblem;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
    try {
      await this.answer(request, response);
    } catch (error) {
      if (!(error instanceof Refusal))
        this.onProblem(error instanceof Error ? (error.stack ?? error.message) : String(error));
      // Half an answer must not look like a whole one.
      if (response.headersSent) response.destroy();
      else text(response, 500, 'It could not be read; the program that serves this says why.');
    }
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = this.admission.refuse(request);
    if (refused !== undefined) {
      for (const [name, value] of Object.entries(refused.headers)) response.setHeader(name, value);
      return text(response, refused.status, refused.text);
    }
    const { method = '', url = '/' } = request;
    if (method === 'OPTIONS') {
      response.writeHead(204, { Allow: METHODS, DAV: '1' }).end();
      return;
    }
    if (!['GET', 'HEAD', 'PROPFIND'].includes(method)) {
      response.setHeader('Allow', METHODS);
      return text(response, 405, 'This is read-only.');
    }
    const [path = ''] = url.split('?');
    const names = namesOfUrl(path);
    if (names === undefined) return text(response, 400, 'This is no path.');
    await this.resources.with(names, async (resource) => {
      if (resource === undefined) return text(response, 404, 'There is nothing.');
      if (method === 'PROPFIND') return await this.propfind(request, response, resource);
      await this.get(request, response, resource, path.endsWith('/'));
    });
  }

  private async get(
    request: IncomingMessage,
    response: ServerResponse,
    resource: Resource,
    asDirectory: boolean,
  ): Promise<void> {
    const { names, attributes } = resource;
    switch (attributes.kind) {
      case ENTRY_KIND.directory:
        if (!asDirectory) return redirect(response, urlOfNames(names, true));
        return await this.directory(request, response, resource);
      case ENTRY_KIND.file:
        return await this.file(request, response, resource);
      case ENTRY_KIND.symlink: {
        const target = await this.resources.target(resource);
        // A link to its neighbour can be followed without leaving anything; others are told, not followed.
        const isNeighbour = !target.includes('/') && target !== '.' && target !== '..';
        if (isNeighbour) return redirect(response, urlOfNames([...names.slice(0, -1), target], false));
        return text(response, 404, `This is a link to ${displayName(target)}.`);
      }
      default:
        return text(response, 404, 'This has no content.');
    }
  }

  private async directory(request: IncomingMessage, response: ServerResponse, resource: Resource): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const page = new DirectoryPage(resource.names);
    await write(response, page.begin());
    for await (const listed of this.resources.entries(resource)) await write(response, page.row(listed));
    response.end(page.end());
  }

  private async file(request: IncomingMessage, response: ServerResponse, resource: Resource): Promise<void> {
    const { names, attributes } = resource;
    const { size } = attributes;
    const headers = fileHeaders(names.at(-1) ?? '', attributes);
    const tag = entityTag(attributes);
    if (request.headers['if-none-match'] === tag) {
      response.writeHead(304, { ETag: tag }).end();
      return;
    }
    const ifRange = request.headers['if-range'];
    const wanted = ifRange === undefined || ifRange === tag ? partOf(request.headers.range, size) : undefined;
    if (wanted === 'none') {
      response.setHeader('Content-Range', `bytes */${size}`);
      return text(response, 416, 'The file has no such bytes.');
    }
    const { offset, length } = wanted ?? { offset: 0, length: size };
    if (wanted !== undefined) headers['Content-Range'] = `bytes ${offset}-${offset + length - 1}/${size}`;
    response.writeHead(wanted === undefined ? 200 : 206, { ...headers, 'Content-Length': length });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    for await (const piece of this.resources.content(resource, offset, length)) await write(response, piece);
    response.end();
  }

  private async propfind(request: IncomingMessage, response: ServerResponse, resource: Resource): Promise<void> {
    const depth = request.headers['depth'] ?? 'infinity';
    if (depth !== '0' && depth !== '1') {
      // RFC 4918, section 9.1: a server may refuse to list everything below.
      response.writeHead(403, { 'Content-Type': 'application/xml; charset=utf-8' });
      response.end('<?xml version="1.0"?>\n<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>\n');
      return;
    }
    const body = await bodyOf(request);
    const asked = body === undefined ? 'malformed' : parsePropfind(body);
    if (asked === 'malformed') return text(response, 400, 'The body is no PROPFIND.');
    response.writeHead(207, { 'Content-Type': 'application/xml; charset=utf-8' });
    await write(response, MULTISTATUS_BEGIN + propfindResponse(resource.names, resource.attributes, asked));
    if (depth === '1' && resource.attributes.kind === ENTRY_KIND.directory) {
      for await (const { name, found } of this.resources.entries(resource)) {
        if (found === undefined) continue;
        await write(response, propfindResponse([...resource.names, name], found.attributes, asked));
      }
    }
    response.end(MULTISTATUS_END);
  }
}

/** Writes, and waits while the reader is slower. Rejects when the reader is gone. */
async function write(response: ServerResponse, part: string | Uint8Array): Promise<void> {
  if (response.destroyed) throw new Refusal('EIO');
  // What is given may be memory that is used again.
  if (response.write(typeof part === 'string' ? part : Buffer.from(part))) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

function text(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}

function redirect(response: ServerResponse, path: string): void {
  response.setHeader('Location', path);
  text(response, 302, 'See there.');
}

/** Undefined when it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MOST_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
