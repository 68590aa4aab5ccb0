import { isCairnError } from '../errors.ts';
import { inOrder } from '../flow/in-order.ts';
import type { ObjectInfo } from '../ports/object-store.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { ChunkIndexBuilder, type ChunkIndex } from './chunk-index.ts';
import { decodeSegment, mostRecords, type IndexSegment } from './segment.ts';

/**
 * How many segments are fetched at once, and of how many bytes together; each may have 16 MiB. A disk gives the next one while one
 * is gone through, and more would only be in memory; of a store that is far away many must be on their way.
 */
const FETCH_NEAR = { width: 3, most: 8 * 1024 * 1024 } as const;
const FETCH_FAR = { width: 32, most: 64 * 1024 * 1024 } as const;

/** An index segment in the store. */
export type StoredSegment = Pick<ObjectInfo, 'name' | 'sizeBytes' | 'receivedMs'>;

/** Who is told of segments that are present and do not count. */
export interface LeftOut {
  /** The log has swept it. */
  readonly onSwept?: (info: ObjectInfo) => void;
  /** The log has given it up as lost. */
  readonly onGivenUp?: (info: ObjectInfo) => void;
}

/**
 * The segments that are present and that the log has neither swept nor given up as lost, by name. Those that are condemned
 * come last.
 */
export async function listSegments(
  { store, log }: RepositoryAccess,
  { onSwept, onGivenUp }: LeftOut = {},
): Promise<StoredSegment[]> {
  const { sweptSegments, condemnedSegments, damage } = log.state;
  const segments: StoredSegment[] = [];
  for await (const info of store.list('index')) {
    if (sweptSegments.has(info.name)) onSwept?.(info);
    else if (damage.lostSegments.has(info.name)) onGivenUp?.(info);
    else segments.push(info);
  }
  const rank = ({ name }: StoredSegment): string => `${condemnedSegments.has(name) ? 1 : 0}${name}`;
  return segments.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/**
 * Reads segments, in that order, and passes on each that is there, so that few need be in memory. One that vanishes between
 * listing and reading was swept meanwhile: what it said stands in another one (rule R10). Rejects with `CORRUPT` when one is
 * damaged.
 */
export async function readSegments(
  access: RepositoryAccess,
  segments: readonly StoredSegment[],
  take: (segment: IndexSegment, stored: StoredSegment) => void,
): Promise<void> {
  const { store, suite } = access;
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read the index') };
  const read = async ({ name, sizeBytes }: StoredSegment): Promise<Uint8Array | undefined> => {
    try {
      // As many bytes as are listed, and no more: a store could send others than it counts with here.
      return await store.get({ kind: 'index', name }, { range: { offset: 0, length: sizeBytes } });
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  };
  const left = segments.values();
  const bounds = store.localPath === undefined ? FETCH_FAR : FETCH_NEAR;
  for await (const object of inOrder(segments, bounds, read, ({ sizeBytes }) => sizeBytes)) {
    const stored = left.next().value as StoredSegment;
    if (object !== undefined) take(decodeSegment(suite, keys, object, `index segment ${stored.name}`), stored);
  }
}

/** A builder with room for what these segments list. Condemned ones list what others do, too, so they do not count. */
export function builderFor({ log }: RepositoryAccess, segments: readonly StoredSegment[]): ChunkIndexBuilder {
  const { condemnedSegments, sweptPacks, condemnedPacks, damage } = log.state;
  const staying = segments.filter(({ name }) => !condemnedSegments.has(name));
  const expected = staying.reduce((sum, { sizeBytes }) => sum + mostRecords(sizeBytes), 0);
  return new ChunkIndexBuilder(expected, sweptPacks, condemnedPacks, damage.packs);
}

/** Loads every present segment that the log has neither swept nor given up as lost. Rejects with `CORRUPT` when one is damaged. */
export async function loadIndex(access: RepositoryAccess): Promise<ChunkIndex> {
  const segments = await listSegments(access);
  const builder = builderFor(access, segments);
  await readSegments(access, segments, (segment) => void builder.add(segment));
  return builder.finish();
}
