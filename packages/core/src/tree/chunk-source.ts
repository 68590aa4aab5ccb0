import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { contentRecords, decodeChunkList, type ContentRecord, type ContentReference } from './content.ts';

/** Gives the plaintext of chunks, verified: the repository, or a cache before it. */
export interface ChunkSource {
  /** The caller must not change the bytes. Rejects with `OBJECT_MISSING`, `CORRUPT` or `RIGHT_MISSING`. */
  chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array>;
}

/** The leaf records of a content, in order, reading chunk lists as they are reached. */
export async function* leafRecords(source: ChunkSource, content: ContentReference): AsyncGenerator<ContentRecord> {
  if (content.level === 0) {
    yield* contentRecords(content.records);
    return;
  }
  const stack = [{ level: content.level, records: contentRecords(content.records), at: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const record = top.records[top.at++];
    if (record === undefined) stack.pop();
    else if (top.level === 0) yield record;
    else {
      const list = await source.chunk(CHUNK_TYPE.list, record.id);
      stack.push({ level: top.level - 1, records: decodeChunkList(list, record.length, top.level - 1), at: 0 });
    }
  }
}
