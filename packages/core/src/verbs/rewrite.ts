import { ContentProcessor } from '../backup/content-processor.ts';
import { PackLine } from '../backup/pack-line.ts';
import { PackUploader } from '../backup/pack-uploader.ts';
import { processorSetup } from '../backup/processor-setup.ts';
import { cutRule } from '../chunker/fastcdc.ts';
import { CairnError } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';
import { toHex } from '../ids.ts';
import { rewritten, type ArchiveDescriptor } from '../log/descriptor.ts';
import type { Because } from '../log/because.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { commitArchive } from './commit-archive.ts';
import { applyDelete, planDelete } from './delete.ts';
import { TreeRewriter, type Removed } from './rewrite-trees.ts';

/** How often a run starts again because packs that it relied on were swept meanwhile. */
const ATTEMPTS = 3;

export interface RewriteOptions extends Because {
  /** Live archives; those that have nothing to leave out stay as they are. */
  readonly archives: readonly ArchiveRecord[];
  /** Whether a path (byte string, from the archive's root) is to be left out. Must be pure. */
  readonly match: (path: ByteString, isDirectory: boolean) => boolean;
  /** Hide the originals once the new archives are there. They can be brought back until compact drops them. */
  readonly deleteOriginals?: boolean;
  /** Look and count, change nothing. */
  readonly dryRun?: boolean;
  /** Name and version of the program, for the descriptors. */
  readonly program?: string;
  /** Hears before each archive how many were looked through, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** An archive of which something is left out. */
export interface RewrittenArchive {
  /** As it is now. */
  readonly original: ArchiveRecord;
  /** Undefined in a dry run, and when the original was deleted by somebody else meanwhile. */
  readonly archive: ArchiveRecord | undefined;
  readonly removed: Removed;
}

/** What is to be committed. */
interface Draft {
  readonly original: ArchiveRecord;
  readonly root: Uint8Array;
  readonly removed: Removed;
}

/**
 * Makes new archives without some paths. Trees on the way to them are written anew; everything else is taken over from the
 * original (rule R5), and no file content is read. Series, times, host and tags stay; the descriptor names the original.
 * Needs a key that reads trees and writes: the root key, or read and write together. Rejects with `RIGHT_MISSING` otherwise;
 * with `ARCHIVE_PROTECTED` when an original that is to be deleted is protected; with `CORRUPT` or `OBJECT_MISSING` when a tree
 * cannot be read: then nothing is committed.
 */
export async function rewriteArchives(
  access: RepositoryAccess,
  options: RewriteOptions,
  signal?: AbortSignal,
): Promise<RewrittenArchive[]> {
  access.secret('skM', 'read directories');
  if (options.deleteOriginals === true) planDelete(access, options.archives);
  if (options.dryRun !== true) access.log.assertAppendable();
  const archives = options.archives.toSorted((a, b) => a.order - b.order || a.seq - b.seq);
  const done = new Map<string, RewrittenArchive>();
  for (let attempt = 1; !(await new RewriteRun(access, options, signal).attempt(archives, done)); attempt++) {
    if (attempt === ATTEMPTS) {
      throw new CairnError('PLAN_STALE', 'packs that the new archives rely on were removed each time', {
        hint: 'Run it again when no compaction is under way.',
      });
    }
    await access.reloadIndex();
  }
  const results = [...done.values()];
  const replaced = results.filter(({ archive }) => archive !== undefined).map(({ original }) => original);
  if (options.deleteOriginals === true && replaced.length > 0) {
    await applyDelete(access, planDelete(access, replaced), options);
  }
  const { state } = access.log;
  return results.map((result) => ({
    ...result,
    original: state.archives.get(result.original.id) ?? result.original,
    archive: result.archive && (state.archives.get(result.archive.id) ?? result.archive),
  }));
}

class RewriteRun {
  private readonly access: RepositoryAccess;
  private readonly options: RewriteOptions;
  private readonly signal: AbortSignal | undefined;

  constructor(access: RepositoryAccess, options: RewriteOptions, signal: AbortSignal | undefined) {
    this.access = access;
    this.options = options;
    this.signal = signal;
  }

  /** Adds what was done to `done`. False when packs that were relied on have been swept meanwhile. */
  async attempt(archives: readonly ArchiveRecord[], done: Map<string, RewrittenArchive>): Promise<boolean> {
    const { access, options, signal } = this;
    const tools = { suite: access.suite, source: await access.chunkReader(), match: options.match, signal };
    const waiting = archives.filter(({ id }) => !done.has(id));
    if (options.dryRun === true) {
      const rewriter = new TreeRewriter({ ...tools, storage: undefined, onTurn: () => Promise.resolve() });
      for (const { original, removed } of await this.drafts(rewriter, waiting)) {
        done.set(original.id, { original, archive: undefined, removed });
      }
      return true;
    }
    const index = await access.index();
    index.clearUsedPacks();
    const setup = processorSetup(access, index, 'write directories');
    const uploader = new PackUploader(access);
    const line = new PackLine(uploader.put.bind(uploader), setup.packsUnderWay);
    const processor = new ContentProcessor(setup, access.suite, access.environment.random, await access.zstd(), line);
    const storage = {
      table: setup.gearTable,
      rule: cutRule(access.config.chunkerTree),
      store: processor.store.bind(processor),
    };
    const rewriter = new TreeRewriter({ ...tools, storage, onTurn: () => processor.passFullPacks() });
    try {
      const made = await this.drafts(rewriter, waiting);
      await processor.flush();
      await uploader.putSegment();
      const usedPacks = index.usedPacks();
      for (const draft of made) if (!(await this.commit(draft, uploader, usedPacks, done))) return false;
      return true;
    } finally {
      access.forgetIndex();
    }
  }

  /** The new roots of those archives of which something is left out. */
  private async drafts(rewriter: TreeRewriter, archives: readonly ArchiveRecord[]): Promise<Draft[]> {
    const made: Draft[] = [];
    for (const [done, original] of archives.entries()) {
      this.options.onProgress?.(done, archives.length);
      const rewrittenRoot = await rewriter.root(original.descriptor.root);
      if (rewrittenRoot !== undefined) made.push({ original, ...rewrittenRoot });
    }
    return made;
  }

  private async commit(
    { original, root, removed }: Draft,
    uploader: PackUploader,
    usedPacks: readonly string[],
    done: Map<string, RewrittenArchive>,
  ): Promise<boolean> {
    const { access } = this;
    const descriptor = this.descriptor(original, root, removed);
    const isLive = ({ archives }: LogState): boolean => archives.get(original.id)?.state === 'live';
    const options = { base: original.id, wanted: isLive };
    const committed = await commitArchive(access, descriptor, uploader, usedPacks, options);
    if (!committed && isLive(access.log.state)) return false;
    const archive = access.log.state.archives.get(toHex(descriptor.id));
    done.set(original.id, { original, archive, removed });
    return true;
  }

  private descriptor(original: ArchiveRecord, root: Uint8Array, removed: Removed): ArchiveDescriptor {
    const { descriptor, name, tags, comment } = original;
    const { stats } = descriptor;
    const less = (whole: number, part: number): number => Math.max(0, whole - part);
    return {
      ...descriptor,
      ...rewritten(this.options.program ?? 'cairn', original.id),
      id: this.access.environment.random.bytes(16),
      name,
      tags,
      comment,
      root,
      stats: {
        ...stats,
        files: less(stats.files, removed.files),
        directories: less(stats.directories, removed.directories),
        others: less(stats.others, removed.others),
        bytes: less(stats.bytes, removed.bytes),
        newBytes: 0,
        storedBytes: 0,
        newChunks: 0,
      },
    };
  }
}
