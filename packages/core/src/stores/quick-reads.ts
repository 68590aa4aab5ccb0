import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Clock } from '../ports/environment.ts';
import { READ_FLAGS } from './durable-file.ts';

/** Larger files go the usual way. */
const SMALL_BYTES = 64 * 1024;
/** Milliseconds that a read may take, on average, after some of grace: a file server, or a disk that sleeps, takes longer. */
const QUICK_MS = 0.25;
const GRACE_MS = 20;

/**
 * Reads small files at once. A log has thousands of entries of some hundred bytes: on a local disk each takes 20 microseconds so,
 * and ten times as long by way of Node's file threads. Ends itself where that is not so, for it holds up everything else.
 */
export class QuickReads {
  private readonly clock: Clock;
  private spentMs = 0;
  private reads = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The whole file in memory of its own; undefined when it must be read the usual way, which also tells why. */
  read(path: string): Uint8Array | undefined {
    if (this.spentMs > GRACE_MS + QUICK_MS * this.reads) return undefined;
    const startMs = this.clock.monotonicMs();
    try {
      return readSmall(path);
    } finally {
      this.spentMs += this.clock.monotonicMs() - startMs;
      this.reads += 1;
    }
  }
}

function readSmall(path: string): Uint8Array | undefined {
  let fd: number;
  try {
    fd = openSync(path, READ_FLAGS);
  } catch {
    // Absent, mostly. The usual way meets the same, and says what it is.
    return undefined;
  }
  try {
    const info = fstatSync(fd);
    if (!info.isFile() || info.size > SMALL_BYTES) return undefined;
    const bytes = new Uint8Array(info.size);
    return readSync(fd, bytes, 0, info.size, 0) === info.size ? bytes : undefined;
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
