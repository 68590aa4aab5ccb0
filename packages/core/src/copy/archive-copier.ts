import { ChunkSpreader } from '../backup/chunk-spreader.ts';
import type { ContentCounts } from '../backup/messages.ts';
import { startStoring, type Storing } from '../backup/storing.ts';
import type { ArchiveDescriptor } from '../log/descriptor.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { decodeEntry } from '../tree/entry.ts';
import { ChunkTransfer } from './chunk-transfer.ts';
import { ContentCopier } from './content-copier.ts';
import { IdMap } from './id-map.ts';
import { copiedArchiveId } from './origin.ts';
import { TreeCopier } from './tree-copier.ts';

/** Chunks whose names in both repositories are remembered: 64 MB. */
const KNOWN_CHUNKS = 1_000_000;

const ACTION = 'read what is copied';

export interface CopierOptions {
  /** Worker threads that name and seal; 0 does all in this thread. Default: one for each core, at most 4. */
  readonly threads?: number;
  /** zstd level, 1 to 22, to compress anew. Default: what is compressed stays as it is. */
  readonly compressionLevel?: number;
}

/** Copies archives from one repository into another, one after the other, with the parts of one run. */
export class ArchiveCopier {
  private readonly source: RepositoryAccess;
  private readonly target: RepositoryAccess;
  private readonly storing: Storing;
  private readonly trees: TreeCopier;
  private readonly transfer: ChunkTransfer;

  private constructor(
    source: RepositoryAccess,
    target: RepositoryAccess,
    storing: Storing,
    trees: TreeCopier,
    transfer: ChunkTransfer,
  ) {
    this.source = source;
    this.target = target;
    this.storing = storing;
    this.trees = trees;
    this.transfer = transfer;
  }

  /** Rejects with `RIGHT_MISSING` when the keys may not read the one or write the other. */
  static async start(
    source: RepositoryAccess,
    target: RepositoryAccess,
    options: CopierOptions,
    signal: AbortSignal | undefined,
    onTurn: (counts: ContentCounts) => void,
  ): Promise<ArchiveCopier> {
    for (const name of ['skM', 'idMeta'] as const) source.secret(name, ACTION);
    const { repo, pkD, pkM } = source.keys;
    const [psk, skD] = [source.secret('psk', ACTION), source.secret('skD', ACTION)];
    const keys = { repo, pkD, pkM, psk, skD, idData: source.secret('idData', ACTION) };
    const recompress = options.compressionLevel !== undefined;
    const storing = await startStoring(target, { ...options, source: { keys, recompress } });
    const { crew, local, trees } = storing;
    const reader = await source.chunkReader();
    const transfer = new ChunkTransfer({
      store: source.store,
      index: await source.index(),
      source: reader,
      crew,
      spreader: new ChunkSpreader(crew),
      signal,
    });
    const known = new IdMap(KNOWN_CHUNKS);
    const contents = new ContentCopier({ source: reader, transfer, store: trees.store, known });
    const turn = async (): Promise<void> => {
      await local.passFullPacks();
      onTurn(crew.counts);
    };
    const copier = new TreeCopier({ source: reader, trees, contents, signal, onTurn: turn });
    return new ArchiveCopier(source, target, storing, copier, transfer);
  }

  /** What was stored so far, over all archives. */
  get counts(): ContentCounts {
    return this.storing.crew.counts;
  }

  /** Names of packs and segments that the archives copied so far rely on; see `commitArchive`. */
  get relies(): Pick<Storing, 'uploader' | 'index'> {
    return this.storing;
  }

  /**
   * Stores everything of an archive in the target and gives the descriptor to commit. Rejects with `CORRUPT` or
   * `OBJECT_MISSING` when the source lacks a part of it, with `CANCELLED`, and like the stores.
   * @param again under an id of its own, although it was copied before.
   */
  async copy(archive: ArchiveRecord, again: boolean): Promise<ArchiveDescriptor> {
    const { source, target, storing } = this;
    const before = this.counts;
    const root = await this.trees.copy(decodeEntry(archive.descriptor.root, true));
    await storing.crew.flush();
    await storing.uploader.putSegment();
    const { newBytes, storedBytes, chunks, newChunks } = this.counts;
    const { descriptor, name, comment, tags } = archive;
    const own = copiedArchiveId(target, source.config.repo, archive.id);
    return {
      ...descriptor,
      id: again ? target.environment.random.bytes(16) : own,
      name,
      comment,
      tags,
      root,
      parent: this.parentOf(descriptor),
      chunkerTree: target.config.chunkerTree,
      stats: {
        ...descriptor.stats,
        newBytes: newBytes - before.newBytes,
        storedBytes: storedBytes - before.storedBytes,
        chunks: chunks - before.chunks,
        newChunks: newChunks - before.newChunks,
      },
    };
  }

  /** The copy of the archive that this one was compared with, if that was copied, too. */
  private parentOf({ parent }: ArchiveDescriptor): Uint8Array | null {
    if (parent === null) return null;
    const id = copiedArchiveId(this.target, this.source.config.repo, Buffer.from(parent).toString('hex'));
    return this.target.log.state.archives.has(Buffer.from(id).toString('hex')) ? id : null;
  }

  /** Ends the threads. After a failure, what is durable is listed, so that the next run finds it. */
  async stop(): Promise<void> {
    const idle = this.transfer.stop();
    await this.storing.crew.stop();
    await idle;
    await this.storing.uploader.listDurable();
  }
}
