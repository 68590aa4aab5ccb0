import { CairnError, systemErrorCode } from '@cairn/core';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';

import { throwIfStopped } from '../signals.ts';

/** What is read, in the words of messages, and at most how many bytes. */
export interface ReadWhat {
  readonly name: string;
  readonly most: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a descriptor to its end and closes it. Pipes are waited for by the event loop, so that Ctrl-C is heard. The caller
 * wipes the bytes. Rejects with `USAGE` when it cannot be read or has too much, with `CANCELLED` when the command is to stop.
 */
export async function readAll(fd: number, what: ReadWhat): Promise<Buffer> {
  let bytes: Buffer;
  try {
    const stats = fstatSync(fd);
    // A stream closes its descriptor itself.
    bytes = stats.isFile() ? readFile(fd, what.most) : await readStream(fd, stats.isCharacterDevice(), what);
  } catch (cause) {
    throwIfStopped(what.signal);
    throw unreadable(what, cause);
  }
  if (bytes.length <= what.most) return bytes;
  bytes.fill(0);
  throw new CairnError('USAGE', `${what.name} has more than ${what.most} bytes`, {
    hint: 'Check that it is the right one.',
  });
}

/** The same for a file, or a pipe, by its name. */
export async function readAllOf(path: string, what: ReadWhat): Promise<Buffer> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw unreadable(what, cause);
  }
  return await readAll(fd, what);
}

function readFile(fd: number, most: number): Buffer {
  const bytes = Buffer.alloc(most + 1);
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, null);
    }
  } finally {
    closeSync(fd);
  }
  return bytes.subarray(0, length);
}

async function readStream(fd: number, isTerminal: boolean, { most, signal }: ReadWhat): Promise<Buffer> {
  const stream = isTerminal ? new ReadStream(fd) : new Socket({ fd, readable: true, writable: false });
  const stop = (): void => void stream.destroy(new Error('stopped'));
  signal.addEventListener('abort', stop);
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of stream as AsyncIterable<Buffer>) {
      parts.push(part);
      length += part.length;
      if (length > most) break;
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(parts);
}

function unreadable({ name }: ReadWhat, cause: unknown): CairnError {
  return new CairnError('USAGE', `cannot read ${name}: ${systemErrorCode(cause) ?? String(cause)}`, {
    hint: 'Check the path and its permissions.',
    cause,
  });
}
