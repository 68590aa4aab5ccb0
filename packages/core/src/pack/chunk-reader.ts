import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkPlace } from '../index/index-lookup.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { ChunksAhead } from './chunks-ahead.ts';

/** Bytes of whole packs kept: trees of one archive lie together, so the second chunk of a pack brings in all of it. */
const CACHE_BYTES = 24 * 1024 * 1024;
/** Packs above this size are read chunk by chunk. */
const WHOLE_PACK_BYTES = 6 * 1024 * 1024;

/** What a reader needs of an opened repository. */
export type ReaderAccess = Pick<RepositoryAccess, 'store' | 'log' | 'reloadIndex'>;

/** Opens sealed chunks: in this thread, or in others. Rejects as `ChunkOpener.open` does. */
export interface Opener {
  /** @param sealed when it is all of its memory, that is the opener's, to move to another thread. */
  open(type: ChunkType, id: Uint8Array, session: SessionPublic, sealed: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** Reads and opens chunks wherever the index says they are. Any number of reads may be under way at once. */
export class ChunkReader implements ChunkSource {
  private readonly access: ReaderAccess;
  private readonly opener: Opener;
  /** Only for a store that is far away: on a disk the next chunk is there as soon. */
  private readonly distant: ChunksAhead | undefined;
  private index: ChunkIndex;
  private readonly whole = new Map<string, Uint8Array>();
  private wholeBytes = 0;
  private readonly fetching = new Map<string, Promise<Uint8Array>>();
  private readonly touched = new Set<string>();
  private reloadedAt = -1;
  private reloading: Promise<boolean> | undefined;

  constructor(access: ReaderAccess, opener: Opener, index: ChunkIndex) {
    this.access = access;
    this.opener = opener;
    this.index = index;
    const { localPath } = access.store;
    this.distant = localPath === undefined ? new ChunksAhead((type, id) => this.tryHolders(type, id)) : undefined;
  }

  get ahead(): ChunkSource['ahead'] {
    const { distant } = this;
    return distant && ((type, ids) => distant.want(type, ids));
  }

  /**
   * The plaintext of a chunk, verified. Tries every holder; when none is there, replays the log, loads the index again and
   * tries again, until the log stands still (rule R12): compaction may have moved the chunk, and again since. Rejects with
   * `OBJECT_MISSING` or `CORRUPT` of the last holder.
   */
  async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    for (;;) {
      const { index } = this;
      try {
        return await (this.distant?.take(id) ?? this.tryHolders(type, id));
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        // Somebody else may have loaded the index since, or be about to.
        if (this.index === index && !(await (this.reloading ??= this.reload()))) throw error;
      }
    }
  }

  /** True when the index was loaded again. That helps once for each state of the log; after that the chunk is lost. */
  private async reload(): Promise<boolean> {
    try {
      await this.access.log.refresh();
      const { seq } = this.access.log;
      if (seq === this.reloadedAt) return false;
      this.index = await this.access.reloadIndex();
      this.reloadedAt = seq;
      return true;
    } finally {
      this.reloading = undefined;
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
    try {
      return await this.opener.open(type, id, session, sealed);
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT')) throw error;
      // It may have been damaged on the way here: the next attempt is to read it anew.
      this.drop(pack.name);
      const { message, hint } = error;
      throw new CairnError('CORRUPT', `${message} (in packs/${pack.name})`, {
        ...(hint === undefined ? {} : { hint }),
        cause: error,
      });
    }
  }

  private async sealed(name: string, sizeBytes: number, place: ChunkPlace): Promise<Uint8Array> {
    const cut = (object: Uint8Array): Uint8Array => object.subarray(place.offset, place.offset + place.storedLength);
    const cached = this.whole.get(name);
    if (cached !== undefined) return cut(cached);
    if (sizeBytes > WHOLE_PACK_BYTES || !this.touched.has(name)) {
      this.touched.add(name);
      const range = { offset: place.offset, length: place.storedLength };
      return await this.access.store.get({ kind: 'packs', name }, { range });
    }
    return cut(await this.fetch(name));
  }

  /** A whole pack, fetched once however many ask for it at the same time. */
  private async fetch(name: string): Promise<Uint8Array> {
    const underWay = this.fetching.get(name);
    if (underWay !== undefined) return await underWay;
    const fetched = this.access.store.get({ kind: 'packs', name });
    this.fetching.set(name, fetched);
    try {
      const object = await fetched;
      this.keep(name, object);
      return object;
    } finally {
      this.fetching.delete(name);
    }
  }

  private keep(name: string, object: Uint8Array): void {
    this.whole.set(name, object);
    this.wholeBytes += object.length;
    for (const oldest of this.whole.keys()) {
      if (this.wholeBytes <= CACHE_BYTES || oldest === name) break;
      this.drop(oldest);
    }
  }

  private drop(name: string): void {
    this.wholeBytes -= this.whole.get(name)?.length ?? 0;
    this.whole.delete(name);
  }
}

function inNoPack(id: Uint8Array): CairnError {
  return new CairnError('OBJECT_MISSING', `chunk ${toHex(id).slice(0, 16)} is in no pack`, {
    hint: 'Run `cairn check` to see which archives need it.',
  });
}
