import { closeSync, fstatSync, lstatSync, openSync, readSync, type Stats } from 'node:fs';
import type { ByteRange } from '../ports/object-store.ts';
import type { Clock } from '../ports/environment.ts';
import { READ_FLAGS } from './durable-file.ts';

/** More bytes at once go the usual way. */
const SMALL_BYTES = 64 * 1024;
/** Milliseconds that a read may take, on average, after some of grace: a file server, or a disk that sleeps, takes longer. */
const QUICK_MS = 0.25;
const GRACE_MS = 20;

/**
 * Reads small files, and small parts of files, at once. A log has thousands of entries of some hundred bytes: on a local disk each
 * takes 20 microseconds so, and ten times as long by way of Node's file threads. Ends itself where that is not so, for it holds
 * up everything else.
 */
export class QuickReads {
  private readonly clock: Clock;
  private spentMs = 0;
  private reads = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The file, or a part of it, in memory of its own; undefined when it must be read the usual way, which also tells why. */
  read(path: string, range?: ByteRange): Uint8Array | undefined {
    return this.quickly(() => readSmall(path, range));
  }

  /** What is known of a file, or of a link; undefined when it must be asked for the usual way. */
  stat(path: string): Stats | undefined {
    return this.quickly(() => lstatSync(path, { throwIfNoEntry: false }));
  }

  private quickly<T>(look: () => T | undefined): T | undefined {
    if (this.spentMs > GRACE_MS + QUICK_MS * this.reads) return undefined;
    const startMs = this.clock.monotonicMs();
    try {
      return look();
    } catch {
      // The usual way meets the same, and says what it is.
      return undefined;
    } finally {
      this.spentMs += this.clock.monotonicMs() - startMs;
      this.reads += 1;
    }
  }
}

function readSmall(path: string, range?: ByteRange): Uint8Array | undefined {
  if (range !== undefined && range.length > SMALL_BYTES) return undefined;
  const fd = openSync(path, READ_FLAGS);
  try {
    const info = fstatSync(fd);
    const { offset, length } = range ?? { offset: 0, length: info.size };
    if (!info.isFile() || length > SMALL_BYTES || offset + length > info.size) return undefined;
    const bytes = new Uint8Array(length);
    return readSync(fd, bytes, 0, length, offset) === length ? bytes : undefined;
  } finally {
    closeSync(fd);
  }
}
