import { truncateFd, writeAt } from '../host/at-calls.ts';
import type { TreeEntry } from '../tree/entry.ts';

/** A part of a chunk and where in the file it goes. */
export interface Segment {
  /** Within the chunk. */
  readonly from: number;
  readonly length: number;
  readonly fileOffset: number;
}

/** Gives the pieces of a content, which come in order, their places in the file between its holes. */
export class SegmentCursor {
  private readonly holes: readonly (readonly [offset: number, length: number])[];
  private nextHole = 0;
  private fileOffset = 0;

  constructor(entry: Pick<TreeEntry, 'holes'>) {
    this.holes = entry.holes ?? [];
    this.skipHole();
  }

  private skipHole(): void {
    const hole = this.holes[this.nextHole];
    if (hole === undefined || hole[0] !== this.fileOffset) return;
    this.fileOffset += hole[1];
    this.nextHole += 1;
  }

  /** Where the next `length` bytes of the content go. */
  take(length: number): Segment[] {
    const segments: Segment[] = [];
    for (let from = 0; from < length;) {
      const room = (this.holes[this.nextHole]?.[0] ?? Infinity) - this.fileOffset;
      const part = Math.min(room, length - from);
      segments.push({ from, length: part, fileOffset: this.fileOffset });
      from += part;
      this.fileOffset += part;
      this.skipHole();
    }
    return segments;
  }
}

const ZEROS = new Uint8Array(1024 * 1024);

/** Makes the holes of a file whose data is written: by its length alone, or as zeros when holes are not wanted. */
export function finishHoles(fd: number, entry: TreeEntry, sparse: boolean): void {
  for (const step of holeSteps(fd, entry, sparse)) step();
}

/** The same in steps of a millisecond or so, for files so long that something else should happen in between. */
export function* holeSteps(fd: number, { holes, size }: TreeEntry, sparse: boolean): Generator<() => void> {
  if (holes === null || holes.length === 0) return;
  yield () => truncateFd(fd, size);
  if (sparse) return;
  for (const [offset, length] of holes) {
    for (let done = 0; done < length; done += ZEROS.length) {
      yield () => writeAt(fd, ZEROS.subarray(0, Math.min(ZEROS.length, length - done)), offset + done);
    }
  }
}
