import type { IncomingMessage, ServerResponse } from 'node:http';

import { Refusal } from '../filesystem/refusal.ts';

/** Bytes of the longest body that a request may have. */
const MOST_BODY_BYTES = 64 * 1024;

/** Writes, and waits while the reader is slower. Rejects when the reader is gone. */
export async function write(response: ServerResponse, part: string | Uint8Array): Promise<void> {
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

/** Answers with a line of text. */
export function text(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}

/** Sends the client to another path of this server. */
export function redirect(response: ServerResponse, path: string): void {
  response.setHeader('Location', path);
  text(response, 302, 'See there.');
}

/** The body of a request; undefined when it is too long. */
export async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > MOST_BODY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}
