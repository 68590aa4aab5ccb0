import { cutRule } from '../chunker/fastcdc.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ContentProcessor } from './content-processor.ts';
import { Crew, defaultThreads } from './crew.ts';
import type { TreeStorage } from './directory-builder.ts';
import type { ProcessorSetup, SourceSetup } from './messages.ts';
import { PackLine } from './pack-line.ts';
import { PackUploader } from './pack-uploader.ts';
import { processorSetup } from './processor-setup.ts';

export interface StoringOptions {
  /** Worker threads; 0 does all in this thread. Default: one for each core, at most 4. */
  readonly threads?: number;
  /** zstd level, 1 to 22. Default 3. */
  readonly compressionLevel?: number;
  /** Packs go nowhere. */
  readonly dryRun?: boolean;
  /** Stops packs that are on their way. */
  readonly signal?: AbortSignal;
  /** Takes over chunks of another repository. */
  readonly source?: SourceSetup;
}

/** The parts that put content and trees into the repository, for one run. */
export interface Storing {
  readonly index: ChunkIndex;
  readonly setup: ProcessorSetup;
  readonly uploader: PackUploader;
  /** The processor of this thread: trees and chunk lists go through it. */
  readonly local: ContentProcessor;
  readonly crew: Crew;
  readonly trees: TreeStorage;
}

/**
 * Makes the parts of a run that writes an archive. Rejects with `RIGHT_MISSING` when the key may not write, and with `CORRUPT` when
 * nobody may append to the log.
 */
export async function startStoring(access: RepositoryAccess, options: StoringOptions): Promise<Storing> {
  const { suite, environment, config } = access;
  if (options.dryRun !== true) access.log.assertAppendable();
  const index = await access.index();
  index.clearUsedPacks();
  const threads = options.threads ?? defaultThreads();
  const setup = processorSetup(access, index, 'back up', options.compressionLevel, options.source);
  const uploader = new PackUploader(access, options.signal);
  const put = options.dryRun === true ? async (): Promise<void> => {} : uploader.put.bind(uploader);
  const line = new PackLine(put, setup.packsUnderWay);
  const local = new ContentProcessor(setup, suite, environment.random, await access.zstd(), line);
  const crew = new Crew(setup, local, threads, put);
  const rule = cutRule(config.chunkerTree);
  const trees = { table: setup.gearTable, rule, store: local.store.bind(local) };
  return { index, setup, uploader, local, crew, trees };
}
