import { CairnError, systemErrorCode } from '../errors.ts';
import type { CachedTrees, TreeCache, TreeCacheWriter } from '../ports/tree-cache.ts';
import type { ChunkType } from '../crypto/chunk-crypto.ts';

/** The trees that a client keeps for the next run, as long as that works: a cache that fails costs time, never a backup. */
export class KeptTrees implements TreeCacheWriter {
  private readonly cache: TreeCache;
  private readonly repository: string;
  private readonly series: string;
  private writer: TreeCacheWriter | undefined;
  private failed: CairnError | undefined;

  constructor(cache: TreeCache, repository: string, series: string) {
    this.cache = cache;
    this.repository = repository;
    this.series = series;
  }

  /** Why nothing was kept, or what was kept could not be read; undefined when all is well. */
  get failure(): CairnError | undefined {
    return this.failed;
  }

  /** The trees of an earlier run, or undefined. */
  open(): CachedTrees | undefined {
    let trees: CachedTrees | undefined;
    this.attempt('read', () => (trees = this.cache.open(this.repository, this.series)));
    return trees && this.guarded(trees);
  }

  private guarded(trees: CachedTrees): CachedTrees {
    return {
      archive: trees.archive,
      read: (id) => {
        let bytes: Uint8Array | undefined;
        this.attempt('read', () => (bytes = trees.read(id)));
        return bytes;
      },
      close: () => trees.close(),
    };
  }

  /** Begins to keep the trees of this run. */
  begin(): void {
    this.attempt('keep', () => (this.writer = this.cache.write(this.repository, this.series)));
  }

  add(type: ChunkType, id: Uint8Array, plaintext: Uint8Array): void {
    const { writer } = this;
    if (writer !== undefined && !this.attempt('keep', () => writer.add(type, id, plaintext))) this.discard();
  }

  commit(archive: string): void {
    const { writer } = this;
    if (writer === undefined) return;
    if (this.attempt('keep', () => writer.commit(archive))) this.writer = undefined;
    else this.discard();
  }

  discard(): void {
    const { writer } = this;
    this.writer = undefined;
    if (writer !== undefined) this.attempt('keep', () => writer.discard());
  }

  /** True when it was done. */
  private attempt(what: 'keep' | 'read', action: () => void): boolean {
    try {
      action();
      return true;
    } catch (cause) {
      const code = systemErrorCode(cause);
      if (code === undefined) throw cause;
      this.failed ??= new CairnError('TARGET_FAILED', `the cache of trees cannot be ${WORDS[what]}: ${code}`, {
        hint: 'The backup is not affected, but the next one may read every file again. Check permissions and free space.',
        cause,
      });
      return false;
    }
  }
}

const WORDS = { keep: 'written', read: 'read' } as const;
