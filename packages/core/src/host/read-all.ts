import { closeSync, constants, fstatSync, open, readSync } from 'node:fs';
import { promisify } from 'node:util';

import { CairnError, systemErrorCode } from '../errors.ts';
import { throwIfCancelled } from '../stores/contract.ts';

const openFd = promisify(open);

/** What is read, in the words of messages, and at most how many bytes. */
export interface ReadWhat {
  readonly name: string;
  readonly most: number;
  readonly signal?: AbortSignal;
}

/**
 * Reads a descriptor to its end and closes it. The caller wipes the bytes. Rejects with `USAGE` when it cannot be read or has too
 * much, with `CANCELLED` when the signal fires.
 */
export async function readAll(fd: number, what: ReadWhat): Promise<Buffer> {
  let bytes: Buffer;
  try {
    bytes = await readBounded(fd, what.most, what.signal);
  } catch (cause) {
    throwIfCancelled(what.signal, `read ${what.name}`);
    throw unreadable(what.name, cause);
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
    fd = await openToRead(path);
  } catch (cause) {
    throw unreadable(what.name, cause);
  }
  return await readAll(fd, what);
}

/**
 * A descriptor of a file, a pipe or a terminal. Does not wait for the other end of a pipe: a thread that waits there could not be
 * called off, and the process would not end before it. Rejects as the system does.
 */
export async function openToRead(path: string): Promise<number> {
  return await openFd(path, constants.O_RDONLY | constants.O_NONBLOCK);
}

/**
 * Reads a descriptor to its end, or one byte more than `most`, and closes it. Pipes and terminals are waited for by the event loop.
 * Rejects as the system does, and when the signal fires.
 */
export async function readBounded(fd: number, most: number, signal?: AbortSignal): Promise<Buffer> {
  const stats = fstatSync(fd);
  if (stats.isFIFO() || stats.isSocket()) {
    const { Socket } = await import('node:net');
    return await readStream(new Socket({ fd, readable: true, writable: false }), most, signal);
  }
  if (stats.isCharacterDevice()) {
    const { isatty, ReadStream } = await import('node:tty');
    if (isatty(fd)) return await readStream(new ReadStream(fd), most, signal);
  }
  return readFile(fd, most);
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

/** The stream closes its descriptor itself. */
async function readStream(
  stream: AsyncIterable<Buffer> & { destroy(error: Error): void },
  most: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const stop = (): void => stream.destroy(new Error('stopped'));
  signal?.addEventListener('abort', stop);
  if (signal?.aborted === true) stop();
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of stream) {
      parts.push(part);
      length += part.length;
      if (length > most) break;
    }
  } finally {
    signal?.removeEventListener('abort', stop);
  }
  return Buffer.concat(parts).subarray(0, most + 1);
}

function unreadable(name: string, cause: unknown): CairnError {
  return new CairnError('USAGE', `cannot read ${name}: ${systemErrorCode(cause) ?? String(cause)}`, {
    hint: 'Check the path and its permissions.',
    cause,
  });
}
