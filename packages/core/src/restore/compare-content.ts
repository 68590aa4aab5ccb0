import { CHUNK_TYPE, type ChunkIds } from '../crypto/chunk-crypto.ts';
import { readAt, statFd } from '../host/at-calls.ts';
import { findHoles } from '../host/file-holes.ts';
import { LIMITS } from '../limits.ts';
import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { EMPTY_CONTENT } from '../tree/content.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { SegmentCursor } from './file-content.ts';
import type { Turns } from '../flow/turns.ts';

const BLOCK_BYTES = 1024 * 1024;
const ZEROS = new Uint8Array(BLOCK_BYTES);

/** Tells whether files have the content that the archive says, without reading the archive's content: chunk ids are enough. */
export class ContentComparer {
  private readonly source: ChunkSource;
  private readonly ids: ChunkIds;
  private readonly turns: Turns;
  private block = Buffer.allocUnsafeSlow(BLOCK_BYTES);

  /** @param source for chunk lists. */
  constructor(source: ChunkSource, ids: ChunkIds, turns: Turns) {
    this.source = source;
    this.ids = ids;
    this.turns = turns;
  }

  /**
   * True when every byte of the open file is as in the archive. Rejects with `CORRUPT` or `OBJECT_MISSING` when a chunk list
   * cannot be had; throws a system error when the file cannot be read.
   */
  async isEqual(fd: number, entry: TreeEntry): Promise<boolean> {
    const { size, blocks } = statFd(fd);
    if (size !== entry.size) return false;
    const cursor = new SegmentCursor(entry);
    for await (const { id, length } of leafRecords(this.source, entry.content ?? EMPTY_CONTENT)) {
      const bytes = this.room(length);
      for (const { from, length: part, fileOffset } of cursor.take(length)) {
        if (readAt(fd, bytes.subarray(from, from + part), fileOffset) < part) return false;
      }
      if (Buffer.compare(this.ids.idOf(CHUNK_TYPE.data, bytes), id) !== 0) return false;
      await this.turns.yieldIfDue();
    }
    const holes = entry.holes === null || blocks * 512 >= size ? [] : findHoles(fd, size);
    for (const hole of entry.holes ?? []) if (!(await this.isZero(fd, hole, holes))) return false;
    return true;
  }

  /** Reads of a range of zeros what is no hole in the file. */
  private async isZero(
    fd: number,
    [offset, length]: readonly [number, number],
    holes: readonly { readonly offset: number; readonly length: number }[],
  ): Promise<boolean> {
    const end = offset + length;
    let at = offset;
    while (at < end) {
      const hole = holes.find((each) => each.offset + each.length > at);
      if (hole !== undefined && hole.offset <= at) {
        at = hole.offset + hole.length;
        continue;
      }
      const dataEnd = Math.min(end, hole?.offset ?? end, at + BLOCK_BYTES);
      const bytes = this.room(dataEnd - at);
      if (readAt(fd, bytes, at) < bytes.length || bytes.compare(ZEROS, 0, bytes.length) !== 0) return false;
      at = dataEnd;
      await this.turns.yieldIfDue();
    }
    return true;
  }

  private room(length: number): Buffer {
    if (length > this.block.length) this.block = Buffer.allocUnsafeSlow(Math.min(LIMITS.chunkBytes, 2 * length));
    return this.block.subarray(0, length);
  }
}
