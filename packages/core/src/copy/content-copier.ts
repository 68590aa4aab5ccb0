import type { ChunkSpreader } from '../backup/chunk-spreader.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { CONTENT_RECORD_BYTES, ContentBuilder, type ContentReference, type StoreChunk } from '../tree/content.ts';
import type { IdMap } from './id-map.ts';

/** Chunks read at once: with 8 MiB each, the most that is in memory between reading and sealing. */
const READS_AT_ONCE = 8;
/** Chunks of one file that are under way before the oldest is waited for. */
const CHUNKS_AHEAD = 64;

/** What file contents are copied with. */
export interface ContentCopying {
  readonly source: ChunkSource;
  readonly spreader: ChunkSpreader;
  /** Stores chunk lists. */
  readonly store: StoreChunk;
  /** Ids in the target by ids in the source. */
  readonly known: IdMap;
  readonly signal: AbortSignal | undefined;
}

/**
 * Copies contents of files: opens each chunk, has it named and sealed anew, and builds the reference to it. Chunks stay cut as
 * they are.
 */
export class ContentCopier {
  private readonly copying: ContentCopying;
  private reading = 0;
  private readonly line: (() => void)[] = [];

  constructor(copying: ContentCopying) {
    this.copying = copying;
  }

  /** The content as it is in the target. Rejects with `CORRUPT` or `OBJECT_MISSING` when the source cannot give it. */
  async copy(content: ContentReference): Promise<ContentReference> {
    const { source, store } = this.copying;
    const builder = new ContentBuilder(store);
    const ahead: Promise<Buffer>[] = [];
    try {
      for await (const { id, length } of leafRecords(source, content)) {
        const record = this.chunk(id, length);
        // A rejection is met when its turn comes; until then it must not count as unhandled.
        record.catch(() => undefined);
        ahead.push(record);
        if (ahead.length > CHUNKS_AHEAD) builder.addRecords(await (ahead.shift() as Promise<Buffer>));
      }
      for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) builder.addRecords(await next);
    } finally {
      await Promise.allSettled(ahead);
    }
    return builder.finish();
  }

  /** The level-0 record of a chunk in the target. */
  private async chunk(id: Uint8Array, length: number): Promise<Buffer> {
    const { source, spreader, known, signal } = this.copying;
    const other = known.get(id);
    if (other !== undefined) return recordOf(other, length);
    await this.turn();
    let stored: Promise<Buffer>;
    try {
      throwIfCancelled(signal, 'copy');
      const plaintext = await source.chunk(CHUNK_TYPE.data, id);
      if (plaintext.length !== length) {
        throw new CairnError('CORRUPT', 'a chunk is not as long as the reference to it says');
      }
      await spreader.room();
      stored = spreader.add(plaintext);
    } finally {
      this.leave();
    }
    const record = await stored;
    known.set(id, record.subarray(0, 32));
    return record;
  }

  private async turn(): Promise<void> {
    if (this.reading < READS_AT_ONCE) this.reading += 1;
    else await new Promise<void>((resolve) => this.line.push(resolve));
  }

  private leave(): void {
    const next = this.line.shift();
    if (next !== undefined) return next();
    this.reading -= 1;
    // Nobody else is going to fill the batch: who waits for it would wait for ever.
    if (this.reading === 0) this.copying.spreader.submit();
  }
}

function recordOf(id: Uint8Array, length: number): Buffer {
  const record = Buffer.allocUnsafe(CONTENT_RECORD_BYTES);
  record.set(id);
  record.writeBigUInt64LE(BigInt(length), 32);
  return record;
}
