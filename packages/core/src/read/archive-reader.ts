import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ChunkCache, type ChunkCacheOptions } from './chunk-cache.ts';
import { defaultOpenerThreads, OpenerCrew } from './opener-crew.ts';

export interface ArchiveReaderOptions extends ChunkCacheOptions {
  /** Worker threads that open chunks; 0: none. One for each core, up to 4, unless given. */
  readonly threads?: number;
}

/** The chunks of a repository for a reader that stays: opened in threads, kept, and read ahead on request. */
export class ArchiveReader extends ChunkCache implements AsyncDisposable {
  private readonly crew: OpenerCrew;

  private constructor(reader: ChunkReader, crew: OpenerCrew, options: ChunkCacheOptions) {
    super(reader, options);
    this.crew = crew;
  }

  /** Loads the index. Rejects with `RIGHT_MISSING`, `CORRUPT` and as stores do. */
  static async open(access: RepositoryAccess, options: ArchiveReaderOptions = {}): Promise<ArchiveReader> {
    const [zstd, index] = await Promise.all([access.zstd(), access.index()]);
    const local = new ChunkOpener(access.suite, zstd, access.keys);
    const crew = new OpenerCrew(local, access.keys, options.threads ?? defaultOpenerThreads());
    return new ArchiveReader(new ChunkReader(access, crew, index), crew, options);
  }

  /** Ends the threads. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.crew[Symbol.asyncDispose]();
  }
}
