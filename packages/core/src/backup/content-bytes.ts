import { adviseReading, readAt } from '../host/at-calls.ts';

type Holes = readonly (readonly [offset: number, length: number])[];

/**
 * The content of an open file with its holes left out, addressed by position in that content. Knows nothing of chunks.
 */
export class ContentBytes {
  private readonly fd: number;
  private readonly holes: Holes;
  private readonly size: number;
  /** Bytes of content: the size less all holes. */
  readonly length: number;

  constructor(fd: number, size: number, holes: Holes) {
    this.fd = fd;
    this.size = size;
    this.holes = holes;
    this.length = size - holes.reduce((sum, [, length]) => sum + length, 0);
  }

  /** Fills `target` from `position` on; returns fewer bytes only at the end, or where the file has become shorter. */
  read(target: Uint8Array, position: number): number {
    if (this.holes.length === 0) {
      const wanted = Math.min(target.length, this.size - position);
      return wanted <= 0
        ? 0
        : readAt(this.fd, wanted === target.length ? target : target.subarray(0, wanted), position);
    }
    return this.readAround(target, position);
  }

  /** Has the kernel fetch what will be read soon. A content with holes is left to its own guess. */
  readAhead(position: number, length: number): void {
    if (this.holes.length === 0 && position < this.size) adviseReading(this.fd, position, length);
  }

  private readAround(target: Uint8Array, position: number): number {
    let done = 0;
    let skipped = 0;
    let dataStart = 0;
    for (const [hole, length] of [...this.holes, [this.size, 0] as const]) {
      // Data from dataStart to the hole is content from dataStart − skipped on.
      const from = Math.max(dataStart, position + done + skipped);
      if (from < hole) {
        const wanted = Math.min(hole - from, target.length - done);
        const got = readAt(this.fd, target.subarray(done, done + wanted), from);
        done += got;
        if (got < wanted || done === target.length) return done;
      }
      skipped += length;
      dataStart = hole + length;
    }
    return done;
  }
}
