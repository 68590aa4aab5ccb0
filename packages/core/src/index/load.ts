import { isCairnError } from '../errors.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ChunkIndex } from './chunk-index.ts';
import { decodeSegment, type IndexSegment } from './segment.ts';

/** How many segments are fetched at once. */
const FETCH_WIDTH = 8;

/**
 * Loads every present segment that the log has not swept. A segment that vanishes between listing and reading was swept
 * meanwhile: what it said stands in another one (rule R10). Rejects with `CORRUPT` when one is damaged.
 */
export async function loadIndex(access: RepositoryAccess): Promise<ChunkIndex> {
  const { store, suite, log } = access;
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read the index') };
  const names: string[] = [];
  for await (const { name } of store.list('index')) if (!log.state.sweptSegments.has(name)) names.push(name);
  names.sort();
  const segments: IndexSegment[] = [];
  for (let at = 0; at < names.length; at += FETCH_WIDTH) {
    const batch = names.slice(at, at + FETCH_WIDTH).map(async (name) => {
      try {
        return decodeSegment(suite, keys, await store.get({ kind: 'index', name }), `index segment ${name}`);
      } catch (error) {
        if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
        throw error;
      }
    });
    for (const segment of await Promise.all(batch)) if (segment !== undefined) segments.push(segment);
  }
  return ChunkIndex.build(segments, log.state.sweptPacks);
}
