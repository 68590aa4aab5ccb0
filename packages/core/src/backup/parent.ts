import type { Capabilities } from '../crypto/capabilities.ts';
import { CHUNK_TYPE, ChunkIds, type ChunkType } from '../crypto/chunk-crypto.ts';
import { CairnError, isCairnError } from '../errors.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { CachedTrees } from '../ports/tree-cache.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { decodeEntry, type TreeEntry } from '../tree/entry.ts';
import type { KeptTrees } from './kept-trees.ts';

/** The earlier archive that a run compares with. */
export interface Parent {
  readonly archive: ArchiveRecord;
  readonly root: TreeEntry;
  readonly source: ChunkSource;
  /** Why the repository could not give a part of it; undefined while it could. */
  damage(): CairnError | undefined;
  close(): void;
}

/** The newest archive of the series that is not dropped, or undefined. */
export function newestOfSeries(access: RepositoryAccess, series: string): ArchiveRecord | undefined {
  return [...access.log.state.archives.values()]
    .filter((archive) => archive.descriptor.series === series && archive.state !== 'dropped')
    .sort((a, b) => a.order - b.order || a.seq - b.seq)
    .at(-1);
}

/**
 * What to compare with: the trees of the series' newest archive, from the local cache, or from the repository when the key
 * can open trees. Undefined when there is none, or no way to read it: then every file is read.
 */
export async function openParent(
  access: RepositoryAccess,
  kept: KeptTrees,
  series: string,
): Promise<Parent | undefined> {
  const newest = newestOfSeries(access, series);
  if (newest === undefined) return undefined;
  const cached = kept.open();
  const known = cached === undefined ? undefined : access.log.state.archives.get(cached.archive);
  const usable = cached !== undefined && known !== undefined && known.state !== 'dropped' ? cached : undefined;
  if (usable === undefined) cached?.close();
  // A cache of an older archive is better than nothing, and worse than reading the newest one from the repository.
  const readable = access.keys.skM !== undefined;
  if (usable !== undefined && (usable.archive === newest.id || !readable)) {
    return parentOf(known ?? newest, cachedSource(access.keys, access, usable), () => usable.close());
  }
  usable?.close();
  return readable ? parentOf(newest, await access.chunkReader(), () => undefined) : undefined;
}

function parentOf(archive: ArchiveRecord, inner: ChunkSource, close: () => void): Parent {
  let damage: CairnError | undefined;
  const source: ChunkSource = {
    kept: inner.kept,
    ahead: inner.ahead,
    async chunk(type, id, urgent) {
      try {
        return await inner.chunk(type, id, urgent);
      } catch (error) {
        if (isCairnError(error) && error !== NOT_CACHED) damage ??= error;
        throw error;
      }
    },
  };
  return { archive, root: decodeEntry(archive.descriptor.root, true), source, damage: () => damage, close };
}

/** No damage: a key that only writes has nothing but the cache. */
const NOT_CACHED = new CairnError('OBJECT_MISSING', 'the local cache lacks a part of the earlier archive');

/** Chunks from the cache, verified by their ids; what the cache lacks comes from the repository if the key allows. */
function cachedSource(keys: Capabilities, access: RepositoryAccess, trees: CachedTrees): ChunkSource {
  const ids = new ChunkIds(access.suite, keys);
  return {
    async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
      const bytes = type === CHUNK_TYPE.data ? undefined : trees.read(id);
      if (bytes !== undefined && Buffer.compare(ids.idOf(type, bytes), id) === 0) return bytes;
      if (keys.skM !== undefined) return await (await access.chunkReader()).chunk(type, id);
      throw NOT_CACHED;
    },
  };
}
