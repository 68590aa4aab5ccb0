import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { contentRecords, decodeChunkList, type ContentRecord, type ContentReference } from './content.ts';

/** Gives the plaintext of chunks, verified: the repository, or a cache before it. */
export interface ChunkSource {
  /**
   * The caller must not change the bytes. Rejects with `OBJECT_MISSING`, `CORRUPT` or `RIGHT_MISSING`.
   * @param urgent false: nobody waits for it yet, so it may be opened together with others. Default: true.
   */
  chunk(type: ChunkType, id: Uint8Array, urgent?: boolean): Promise<Uint8Array>;
  /** The chunk, if it is at hand without waiting. Absent when the source keeps none. */
  readonly kept?: ((type: ChunkType, id: Uint8Array) => Uint8Array | undefined) | undefined;
  /**
   * Tells the source that these chunks will be asked for next, in this order. Absent when the source has no use for it: then
   * finding out what comes next is wasted.
   */
  readonly ahead?: ((type: ChunkType, ids: readonly Uint8Array[]) => void) | undefined;
}

/** A part of a content whose chunks are not known, because the list of them cannot be read. */
export interface Gap {
  /** Its bytes. */
  readonly gap: number;
  readonly reason: string;
}

/** The leaf records of a content, in order, reading chunk lists as they are reached. */
export async function* leafRecords(source: ChunkSource, content: ContentReference): AsyncGenerator<ContentRecord> {
  for await (const leaf of walkLists(source, content)) {
    if ('error' in leaf) throw leaf.error;
    yield leaf;
  }
}

/** The same, but goes on after a list that is damaged or missing. */
export async function* leavesAndGaps(
  source: ChunkSource,
  content: ContentReference,
): AsyncGenerator<ContentRecord | Gap> {
  for await (const leaf of walkLists(source, content)) {
    if ('error' in leaf) yield { gap: leaf.length, reason: leaf.error.message };
    else yield leaf;
  }
}

/** A list that is damaged or missing, and the bytes of content below it. */
interface BrokenList {
  readonly error: CairnError;
  readonly length: number;
}

async function* walkLists(source: ChunkSource, content: ContentReference): AsyncGenerator<ContentRecord | BrokenList> {
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
      const level = top.level - 1;
      const list = await readList(source, record, level);
      if (list instanceof CairnError) yield { error: list, length: record.length };
      else stack.push({ level, records: list, at: 0 });
    }
  }
}

async function readList(
  source: ChunkSource,
  { id, length }: ContentRecord,
  level: number,
): Promise<ContentRecord[] | CairnError> {
  try {
    return decodeChunkList(await source.chunk(CHUNK_TYPE.list, id), length, level);
  } catch (error) {
    if (error instanceof CairnError && (error.code === 'CORRUPT' || error.code === 'OBJECT_MISSING')) return error;
    throw error;
  }
}
