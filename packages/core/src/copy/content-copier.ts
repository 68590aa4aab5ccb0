import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { CONTENT_RECORD_BYTES, ContentBuilder, type ContentReference, type StoreChunk } from '../tree/content.ts';
import type { ChunkTransfer } from './chunk-transfer.ts';
import type { IdMap } from './id-map.ts';

/** Chunks of one file that are under way before the oldest is waited for. */
const CHUNKS_AHEAD = 256;

/** What file contents are copied with. */
export interface ContentCopying {
  /** Gives chunk lists. */
  readonly source: ChunkSource;
  readonly transfer: ChunkTransfer;
  /** Stores chunk lists. */
  readonly store: StoreChunk;
  /** Ids in the target by ids in the source. */
  readonly known: IdMap;
}

/** Copies contents of files: has each chunk moved, and builds the reference to it. Chunks stay cut as they are. */
export class ContentCopier {
  private readonly copying: ContentCopying;

  constructor(copying: ContentCopying) {
    this.copying = copying;
  }

  /** The content as it is in the target. Rejects with `CORRUPT` or `OBJECT_MISSING` when the source cannot give it. */
  async copy(content: ContentReference): Promise<ContentReference> {
    const { source, store } = this.copying;
    const builder = new ContentBuilder(store);
    const ahead: (Buffer | Promise<Buffer>)[] = [];
    for await (const { id, length } of leafRecords(source, content)) {
      ahead.push(this.chunk(id, length));
      if (ahead.length > CHUNKS_AHEAD) builder.addRecords(await this.wait(ahead.shift()));
    }
    while (ahead.length > 0) builder.addRecords(await this.wait(ahead.shift()));
    return builder.finish();
  }

  /** To be called when somebody is going to wait for contents. */
  nudge(): void {
    this.copying.transfer.nudge();
  }

  /** The level-0 record of a chunk in the target. */
  private chunk(id: Uint8Array, length: number): Buffer | Promise<Buffer> {
    const { transfer, known } = this.copying;
    const other = known.get(id);
    if (other !== undefined) return recordOf(other, length);
    const key = new Uint8Array(id);
    const moved = transfer.want(key, length).then((record) => {
      known.set(key, record.subarray(0, 32));
      return record;
    });
    // A rejection is met when its turn comes; until then it must not count as unhandled.
    moved.catch(() => undefined);
    return moved;
  }

  private async wait(record: Buffer | Promise<Buffer> | undefined): Promise<Buffer> {
    if (record instanceof Promise) this.nudge();
    return (await record) ?? Buffer.alloc(0);
  }
}

function recordOf(id: Uint8Array, length: number): Buffer {
  const record = Buffer.allocUnsafe(CONTENT_RECORD_BYTES);
  record.set(id);
  record.writeBigUInt64LE(BigInt(length), 32);
  return record;
}
