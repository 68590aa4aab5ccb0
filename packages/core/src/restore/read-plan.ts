import type { ChunkIndex } from '../index/chunk-index.ts';
import type { ChunkUse } from './pending-entry.ts';

/** A chunk that is wanted, and where it lies: noted by `planReads`. */
export type PlacedChunk = Pick<ChunkUse, 'id' | 'pack' | 'offset' | 'storedLength' | 'session'>;

/** A read is not made longer than this. */
const READ_BYTES = 4 * 1024 * 1024;
/** Bytes between two chunks that are read and thrown away rather than asked for apart. */
const GAP_BYTES = 64 * 1024;

/** A range of a pack that is read at once. */
export interface PackRead<Use extends PlacedChunk = ChunkUse> {
  /** Position in `ChunkIndex.packs`. */
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  /** Ascending by offset; uses of one chunk are neighbours. */
  readonly uses: readonly Use[];
}

export interface ReadPlan<Use extends PlacedChunk = ChunkUse> {
  /** In the order in which the walk first needs the packs. */
  readonly reads: readonly PackRead<Use>[];
  /** Of chunks that the index does not know. */
  readonly unknown: readonly Use[];
}

/** Sorts uses of chunks by where these lie, so that each range of a pack is read once. Notes the place in each use. */
export function planReads<Use extends PlacedChunk>(
  uses: readonly Use[],
  index: Pick<ChunkIndex, 'find'>,
): ReadPlan<Use> {
  const unknown: Use[] = [];
  const byPack = new Map<number, Use[]>();
  for (const use of uses) {
    const place = use.id && index.find(use.id);
    if (place === undefined) {
      unknown.push(use);
      continue;
    }
    use.pack = place.pack;
    use.offset = place.offset;
    use.storedLength = place.storedLength;
    use.session = place.session;
    const there = byPack.get(place.pack);
    if (there === undefined) byPack.set(place.pack, [use]);
    else there.push(use);
  }
  return { reads: [...byPack.values()].flatMap((there) => readsOf(there)), unknown };
}

function readsOf<Use extends PlacedChunk>(uses: Use[]): PackRead<Use>[] {
  uses.sort((a, b) => a.offset - b.offset);
  const reads: PackRead<Use>[] = [];
  let first = 0;
  let start = 0;
  let end = 0;
  const close = (next: number): void => {
    const pack = uses[first]?.pack;
    if (pack !== undefined && next > first) {
      reads.push({ pack, offset: start, length: end - start, uses: uses.slice(first, next) });
    }
    first = next;
  };
  for (const [i, { offset, storedLength }] of uses.entries()) {
    const last = offset + storedLength;
    if (i === first || offset > end + GAP_BYTES || (last > end && last - start > READ_BYTES)) {
      close(i);
      start = offset;
      end = offset;
    }
    end = Math.max(end, last);
  }
  close(uses.length);
  return reads;
}
