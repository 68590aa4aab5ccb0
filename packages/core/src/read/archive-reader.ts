import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { makeRelease } from '../host/memory.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ChunkCache, type ChunkCacheOptions } from './chunk-cache.ts';
import { defaultOpenerThreads, OpenerCrew } from './opener-crew.ts';
import { SharedMemory } from './shared-memory.ts';
import { SpentChunks } from './spent-chunks.ts';

/** How archives are read. */
export interface ArchiveReaderOptions extends ChunkCacheOptions {
  /** Worker threads that open chunks; 0: none. One for each core, up to 4, unless given. */
  readonly threads?: number;
  /**
   * Frees chunks of file data at once when they are not kept any more, instead of leaving that to the collector. Then whoever reads
   * does so in `reading`, and what others still have of a chunk may become empty. Default: no.
   */
  readonly freesChunks?: boolean;
}

/** The chunks of a repository for a reader that stays: opened in threads, kept, and read ahead on request. */
export class ArchiveReader extends ChunkCache implements AsyncDisposable {
  private readonly reader: ChunkReader;
  private readonly crew: OpenerCrew;
  private readonly spent: SpentChunks | undefined;

  private constructor(reader: ChunkReader, crew: OpenerCrew, options: ChunkCacheOptions, spent?: SpentChunks) {
    super(reader, spent === undefined ? options : { ...options, onLetGo: (bytes) => spent.add(bytes) });
    this.reader = reader;
    this.crew = crew;
    this.spent = spent;
  }

  /** Loads the index. Rejects with `RIGHT_MISSING`, `CORRUPT` and as stores do. */
  static async open(access: RepositoryAccess, options: ArchiveReaderOptions = {}): Promise<ArchiveReader> {
    const [zstd, index] = await Promise.all([access.zstd(), access.index()]);
    const local = new ChunkOpener(access.suite, zstd, access.keys);
    const shared = new SharedMemory();
    const crew = new OpenerCrew(local, access.keys, options.threads ?? defaultOpenerThreads(), shared);
    const spent = options.freesChunks === true ? await spentChunks(shared) : undefined;
    return new ArchiveReader(new ChunkReader(access, crew, index), crew, options, spent);
  }

  /**
   * Does what reads file data, where chunks are freed: see `SpentChunks.reading`. Elsewhere it only does it. Rejects as `work` does.
   */
  async reading<T>(work: () => Promise<T>): Promise<T> {
    return await (this.spent?.reading(work) ?? work());
  }

  /** Starts the threads, so that whoever reads first need not wait for that. They start by themselves when they are needed. */
  startThreads(): void {
    this.crew.startThreads();
  }

  /** Tells that these chunks of file data will be read soon: see `ChunkReader.expect`. */
  expect(ids: readonly Uint8Array[]): void {
    this.reader.expect(ids);
  }

  /** Ends the threads. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.crew[Symbol.asyncDispose]();
  }
}

/** Chunks that were opened together lie in one memory, which is freed with the last of them. */
async function spentChunks(shared: SharedMemory): Promise<SpentChunks> {
  const release = await makeRelease();
  return new SpentChunks((bytes) => {
    const memory = shared.letGo(bytes);
    if (memory !== undefined) release(new Uint8Array(memory));
  });
}
