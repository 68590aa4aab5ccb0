import type { ChunkOpener, ChunkType } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ChunkIndex, ChunkPlace } from '../index/chunk-index.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';

/** Bytes of whole packs kept: trees of one archive lie together, so the second chunk of a pack brings in all of it. */
const CACHE_BYTES = 24 * 1024 * 1024;
/** Packs above this size are read chunk by chunk. */
const WHOLE_PACK_BYTES = 6 * 1024 * 1024;

/** What a reader needs of an opened repository. */
export type ReaderAccess = Pick<RepositoryAccess, 'store' | 'log' | 'reloadIndex'>;

/** Reads and opens chunks wherever the index says they are. */
export class ChunkReader implements ChunkSource {
  private readonly access: ReaderAccess;
  private readonly opener: ChunkOpener;
  private index: ChunkIndex;
  private readonly whole = new Map<string, Uint8Array>();
  private wholeBytes = 0;
  private readonly touched = new Set<string>();
  private reloadedAt = -1;

  constructor(access: ReaderAccess, opener: ChunkOpener, index: ChunkIndex) {
    this.access = access;
    this.opener = opener;
    this.index = index;
  }

  /**
   * The plaintext of a chunk, verified. Tries every holder; when none is there, replays the log, loads the index again and
   * tries once more (rule R12): compaction may have moved it. Rejects with `OBJECT_MISSING` or `CORRUPT` of the last holder.
   */
  async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    try {
      return await this.tryHolders(type, id);
    } catch (error) {
      if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
      await this.access.log.refresh();
      // Loading the index again helps once for each state of the log; after that the chunk is lost, and so may many be.
      if (this.access.log.seq === this.reloadedAt) throw error;
      this.reloadedAt = this.access.log.seq;
      this.index = await this.access.reloadIndex();
      return await this.tryHolders(type, id);
    }
  }

  private async tryHolders(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    let failure: CairnError | undefined;
    for (const place of this.index.places(id)) {
      try {
        return await this.read(type, id, place);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        failure = error;
      }
    }
    throw failure ?? inNoPack(id);
  }

  private async read(type: ChunkType, id: Uint8Array, place: ChunkPlace): Promise<Uint8Array> {
    const pack = this.index.packs[place.pack];
    const session = pack?.sessions[place.session];
    if (pack === undefined || session === undefined) {
      throw new CairnError('CORRUPT', 'the index names a session that its pack does not have');
    }
    const sealed = await this.sealed(pack.name, pack.sizeBytes, place);
    return this.opener.open(type, id, session, sealed);
  }

  private async sealed(name: string, sizeBytes: number, place: ChunkPlace): Promise<Uint8Array> {
    const key = { kind: 'packs', name } as const;
    const cached = this.whole.get(name);
    if (cached !== undefined) return cached.subarray(place.offset, place.offset + place.storedLength);
    if (sizeBytes > WHOLE_PACK_BYTES || !this.touched.has(name)) {
      this.touched.add(name);
      return await this.access.store.get(key, { range: { offset: place.offset, length: place.storedLength } });
    }
    const object = await this.access.store.get(key);
    this.keep(name, object);
    return object.subarray(place.offset, place.offset + place.storedLength);
  }

  private keep(name: string, object: Uint8Array): void {
    this.whole.set(name, object);
    this.wholeBytes += object.length;
    for (const [oldest, bytes] of this.whole) {
      if (this.wholeBytes <= CACHE_BYTES || oldest === name) break;
      this.whole.delete(oldest);
      this.wholeBytes -= bytes.length;
    }
  }
}

function inNoPack(id: Uint8Array): CairnError {
  return new CairnError('OBJECT_MISSING', `chunk ${toHex(id).slice(0, 16)} is in no pack`, {
    hint: 'Run `cairn check` to see which archives need it.',
  });
}
