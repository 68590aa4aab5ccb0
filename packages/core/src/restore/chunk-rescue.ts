import { CHUNK_TYPE, type ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkPlace } from '../index/index-lookup.ts';
import type { CallOptions } from '../ports/object-store.ts';
import type { RepositoryAccess } from '../repository/access.ts';

/**
 * Looks for chunks that are not where they were thought to be. Tries every holder; when all fail, asks the log whether it
 * went on, for then compaction may have moved them (rule R12).
 */
export class ChunkRescue {
  private readonly access: RepositoryAccess;
  private readonly opener: ChunkOpener;
  private index: ChunkIndex;
  /** Where the log was when the index was loaded; not known for the one given. */
  private indexSeq: number | undefined;
  private reloading: Promise<boolean> | undefined;

  constructor(access: RepositoryAccess, opener: ChunkOpener, index: ChunkIndex) {
    this.access = access;
    this.opener = opener;
    this.index = index;
  }

  /** The plaintext of a data chunk, verified; or, as a sentence, why no holder gives it. Rejects like a store does. */
  async chunk(id: Uint8Array, options: CallOptions): Promise<Uint8Array | string> {
    for (;;) {
      const { index } = this;
      const found = await this.tryHolders(id, options);
      if (typeof found !== 'string') return found;
      // Somebody else may have loaded the index since, or be about to.
      if (this.index === index && !(await (this.reloading ??= this.reload()))) return found;
    }
  }

  private async tryHolders(id: Uint8Array, options: CallOptions): Promise<Uint8Array | string> {
    let failure = `chunk ${toHex(id).slice(0, 16)} is in no pack`;
    for (const place of this.index.places(id)) {
      try {
        return await this.read(id, place, options);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        failure = `pack ${this.index.packs[place.pack]?.name}: ${error.message}`;
      }
    }
    return failure;
  }

  private async read(id: Uint8Array, place: ChunkPlace, options: CallOptions): Promise<Uint8Array> {
    const pack = this.index.packs[place.pack];
    const session = pack?.sessions[place.session];
    if (pack === undefined || session === undefined) {
      throw new CairnError('CORRUPT', 'the index names a session that its pack does not have');
    }
    const range = { offset: place.offset, length: place.storedLength };
    const sealed = await this.access.store.get({ kind: 'packs', name: pack.name }, { ...options, range });
    return this.opener.open(CHUNK_TYPE.data, id, session, sealed);
  }

  /** True when the log went on and the index was loaded again. */
  private async reload(): Promise<boolean> {
    try {
      await this.access.log.refresh();
      const { seq } = this.access.log;
      if (seq === this.indexSeq) return false;
      this.index = await this.access.reloadIndex();
      this.indexSeq = seq;
      return true;
    } finally {
      this.reloading = undefined;
    }
  }
}
