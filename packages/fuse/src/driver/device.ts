import { CairnError } from '@cairn/core';
import { closeSync, writevSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

/** How the device says that nobody waits for an answer any more: interrupted, or unmounted. */
const NOBODY_WAITS: readonly (string | undefined)[] = ['ENOENT', 'ENODEV', 'EPERM', 'ECONNABORTED'];

/** ENOENT: whoever asked was stopped before the question was read (fuse(4)). EINTR: a signal came. Both: the next one, please. */
const NEXT: readonly number[] = [constants.errno.ENOENT, constants.errno.EINTR];

interface Calls {
  read(fd: number, buffer: Uint8Array, size: number): number;
  errno(): number;
  /** Calls back whenever there is something to read, or the descriptor is of no use any more. */
  watch(fd: number, onReadable: () => void): { close(): void };
}

let loaded: Calls | undefined;

function calls(): Calls {
  loaded ??= bind();
  return loaded;
}

function bind(): Calls {
  let koffi: typeof import('koffi');
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  } catch (cause) {
    throw new CairnError('HOST_UNSUPPORTED', 'the C library could not be reached through the package koffi', {
      hint: 'Install again with optional dependencies, so that the package for this machine is there.',
      cause,
    });
  }
  // null: the symbols of the process itself, so glibc and musl work alike.
  const read = koffi.load(null).func('int64_t read(int, void *, size_t)');
  return {
    read: (fd, buffer, size) => Number(read(fd, buffer, size)),
    errno: () => koffi.errno(),
    watch: (fd, onReadable) => koffi.node.poll(fd, onReadable),
  };
}

/** What came of an attempt to read a request: one, that there is none now, or that the mount is gone. */
export type Received = 'request' | 'nothing' | 'gone';

/**
 * An open `/dev/fuse` in the event loop of this thread: requests are read when there are some, and never waited for. A thread of
 * its own that waits would have to wake this one for each request, which takes longer than answering it. Node's own `fs` tells
 * by an exception that there is nothing, which takes ten times as long as the question.
 *
 * The descriptor is this object's, and nothing uses it after `close`: its number goes to the next file that is opened, and a late
 * answer would be written into that one.
 */
export class FuseDevice {
  private readonly fd: number;
  private readonly buffer: Buffer;
  private readonly calls: Calls;
  private readonly onTurn: () => void;
  private readonly watching: { close(): void };
  private scheduled = false;
  private closed = false;
  private length = 0;

  /**
   * @param bufferBytes of the longest request.
   * @param onTurn called in the event loop, again as long as there is something to read.
   */
  constructor(fd: number, bufferBytes: number, onTurn: () => void) {
    this.fd = fd;
    this.buffer = Buffer.alloc(bufferBytes);
    this.calls = calls();
    this.onTurn = onTurn;
    this.watching = this.calls.watch(fd, () => this.schedule());
  }

  /**
   * Asks for a turn, after the event loop had its own. What runs in the callback of the watch itself is outside of what Node does
   * between two events: promises would wait for the next one.
   */
  schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.onTurn();
    });
  }

  /** Reads one request, which `request` then gives. Throws when the device fails. */
  receive(): Received {
    if (this.closed) return 'gone';
    for (;;) {
      const length = this.calls.read(this.fd, this.buffer, this.buffer.length);
      if (length >= 0) {
        this.length = length;
        return 'request';
      }
      const errno = this.calls.errno();
      if (errno === constants.errno.EAGAIN) return 'nothing';
      if (errno === constants.errno.ENODEV) return 'gone';
      if (!NEXT.includes(errno)) throw new Error(`reading a request failed with error ${errno}`);
    }
  }

  /** The request that was read last; a view, until the next one is read. */
  get request(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** Sends an answer. Gives the reason when the kernel refuses it, but for one that nobody waits for any more. */
  send(parts: readonly Uint8Array[]): string | undefined {
    if (this.closed) return undefined;
    try {
      writevSync(this.fd, parts);
      return undefined;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return NOBODY_WAITS.includes(code) ? undefined : message;
    }
  }

  /** Ends the mount's connection with the kernel. Answers that come later go nowhere. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.watching.close();
    closeSync(this.fd);
  }
}
