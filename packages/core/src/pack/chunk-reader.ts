import type { ChunkType, SessionPublic } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkPlace } from '../index/index-lookup.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { ChunksAhead } from './chunks-ahead.ts';
import { PackBytes } from './pack-bytes.ts';

/** Packs that are asked of the disk once and not again: more than a reader has before it at a time. */
const EXPECTED_PACKS = 16;

/** What a reader needs of an opened repository. */
export type ReaderAccess = Pick<RepositoryAccess, 'store' | 'log' | 'reloadIndex'>;

/** Where a sealed chunk lies in a file of this machine. */
export interface FilePart {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/** Opens sealed chunks: in this thread, or in others. Rejects as `ChunkOpener.open` does. */
export interface Opener {
  /**
   * @param sealed when it is all of its memory, that is the opener's, to move to another thread.
   * @param urgent false: nobody waits for it yet.
   */
  open(
    type: ChunkType,
    id: Uint8Array,
    session: SessionPublic,
    sealed: Uint8Array,
    urgent: boolean,
  ): Uint8Array | Promise<Uint8Array>;
  /** Reads and opens it elsewhere; undefined when that is not worth it. Rejects, also when the file cannot be read. */
  openFile?(
    type: ChunkType,
    id: Uint8Array,
    session: SessionPublic,
    part: FilePart,
    urgent: boolean,
  ): Promise<Uint8Array> | undefined;
  /** Has the disk bring a file of which much will be read. */
  readSoon?(file: string): void;
}

/** Reads and opens chunks wherever the index says they are. Any number of reads may be under way at once. */
export class ChunkReader implements ChunkSource {
  private readonly access: ReaderAccess;
  private readonly opener: Opener;
  /** Only for a store that is far away: on a disk the next chunk is there as soon. */
  private readonly distant: ChunksAhead | undefined;
  private index: ChunkIndex;
  private readonly packs: PackBytes;
  /** Packs that were expected last. */
  private readonly expected: string[] = [];
  private reloadedAt = -1;
  private reloading: Promise<boolean> | undefined;

  constructor(access: ReaderAccess, opener: Opener, index: ChunkIndex) {
    this.access = access;
    this.opener = opener;
    this.index = index;
    this.packs = new PackBytes(access.store);
    const { localPath } = access.store;
    this.distant = localPath === undefined ? new ChunksAhead((type, id) => this.tryHolders(type, id)) : undefined;
  }

  /**
   * Tells that these chunks of file data will be read, later than what is opened ahead: the packs that they are in are brought from
   * the disk meanwhile. Chunks lie in no order in a pack, so the kernel does not see what comes next.
   */
  expect(ids: readonly Uint8Array[]): void {
    const { store } = this.access;
    if (store.localFile === undefined || this.opener.readSoon === undefined) return;
    for (const id of ids) {
      const pack = this.packOf(id);
      if (pack === undefined || this.expected.includes(pack)) continue;
      this.expected.push(pack);
      if (this.expected.length > EXPECTED_PACKS) this.expected.shift();
      const file = store.localFile({ kind: 'packs', name: pack });
      if (file !== undefined) this.opener.readSoon(file);
    }
  }

  private packOf(id: Uint8Array): string | undefined {
    const place = this.index.find(id);
    return place && this.index.packs[place.pack]?.name;
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
  async chunk(type: ChunkType, id: Uint8Array, urgent = true): Promise<Uint8Array> {
    for (;;) {
      const { index } = this;
      try {
        return await (this.distant?.take(id) ?? this.tryHolders(type, id, urgent));
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

  private async tryHolders(type: ChunkType, id: Uint8Array, urgent = true): Promise<Uint8Array> {
    let failure: CairnError | undefined;
    for (const place of this.index.places(id)) {
      try {
        return await this.read(type, id, place, urgent);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        failure = error;
      }
    }
    throw failure ?? inNoPack(id);
  }

  private async read(type: ChunkType, id: Uint8Array, place: ChunkPlace, urgent: boolean): Promise<Uint8Array> {
    const pack = this.index.packs[place.pack];
    const session = pack?.sessions[place.session];
    if (pack === undefined || session === undefined) {
      throw new CairnError('CORRUPT', 'the index names a session that its pack does not have');
    }
    const { name, sizeBytes } = pack;
    const { offset, storedLength: length } = place;
    const file = this.access.store.localFile?.({ kind: 'packs', name });
    if (file !== undefined && this.opener.openFile !== undefined) {
      try {
        const opened = await this.opener.openFile(type, id, session, { file, offset, length }, urgent);
        if (opened !== undefined) return opened;
      } catch {
        // Whatever it was: the store is asked now, and says what is wrong if it still is.
      }
    }
    const sealed = await this.packs.get({ name, sizeBytes, offset, length });
    try {
      return await this.opener.open(type, id, session, sealed, urgent);
    } catch (error) {
      if (!isCairnError(error, 'CORRUPT')) throw error;
      // It may have been damaged on the way here: the next attempt is to read it anew.
      this.packs.doubt(name);
      const { message, hint } = error;
      throw new CairnError('CORRUPT', `${message} (in packs/${name})`, {
        ...(hint === undefined ? {} : { hint }),
        cause: error,
      });
    }
  }
}

function inNoPack(id: Uint8Array): CairnError {
  return new CairnError('OBJECT_MISSING', `chunk ${toHex(id).slice(0, 16)} is in no pack`, {
    hint: 'Run `cairn check` to see which archives need it.',
  });
}
