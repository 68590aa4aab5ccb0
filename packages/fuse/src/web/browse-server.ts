import { displayName, ENTRY_KIND, partOf } from '@cairn/core';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { ArchiveFileSystem } from '../filesystem/file-system.ts';
import { Refusal } from '../filesystem/refusal.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { DirectoryPage } from './directory-page.ts';
import { DirectoryTar, type TarExporter } from './directory-tar.ts';
import { entityTag, fileHeaders, SAFE_HEADERS } from './headers.ts';
import { namesOfUrl, urlOfNames } from './paths.ts';
import { MULTISTATUS_BEGIN, MULTISTATUS_END, parsePropfind, propfindResponse } from './propfind.ts';
import { Resources, type Resource } from './resources.ts';
import { bodyOf, redirect, text, write } from './responses.ts';

const METHODS = 'OPTIONS, GET, HEAD, PROPFIND';
/** Query of a directory's address that asks for it as a tar stream. */
const AS_TAR = 'tar';

export interface BrowseOptions extends AdmissionOptions {
  readonly fileSystem: ArchiveFileSystem;
  /** Address to listen at. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly onProblem: (text: string) => void;
  /** Makes tar streams of directories; absent: none are offered. */
  readonly exporter?: TarExporter;
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
  private readonly tar: DirectoryTar | undefined;

  constructor(options: BrowseOptions) {
    const { fileSystem, exporter, onProblem } = options;
    this.admission = new Admission(options);
    this.resources = new Resources(fileSystem);
    this.onProblem = onProblem;
    this.tar = exporter === undefined ? undefined : new DirectoryTar(exporter, onProblem);
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
    const [path = '', query] = url.split('?');
    const names = namesOfUrl(path);
    if (names === undefined) return text(response, 400, 'This is no path.');
    await this.resources.with(names, async (resource) => {
      if (resource === undefined) return text(response, 404, 'There is nothing.');
      if (method === 'PROPFIND') return await this.propfind(request, response, resource);
      if (query === AS_TAR) return await this.directoryTar(request, response, resource);
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
    const hasTar = this.tar !== undefined && this.resources.archived(resource) !== undefined;
    const page = new DirectoryPage(resource.names, hasTar ? `?${AS_TAR}` : undefined);
    await write(response, page.begin());
    for await (const listed of this.resources.entries(resource)) await write(response, page.row(listed));
    response.end(page.end());
  }

  private async directoryTar(request: IncomingMessage, response: ServerResponse, resource: Resource): Promise<void> {
    const directory = this.resources.archived(resource);
    if (this.tar === undefined || directory === undefined) {
      return text(response, 404, 'Only a directory of an archive can be had as tar.');
    }
    await this.tar.answer(request, response, directory);
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
