import { LIMITS } from '../limits.ts';
import { BLOCK_BYTES } from './header.ts';
import { tarError } from './tar-error.ts';

/** A range of a file: offset and length, bytes. */
export type Range = readonly [offset: number, length: number];

/** The ranges of a file that are not holes, and an empty one at its end when it ends with a hole. */
export function dataRanges(holes: readonly Range[], size: number): Range[] {
  const ranges: Range[] = [];
  let at = 0;
  for (const [offset, length] of holes) {
    if (offset > at) ranges.push([at, offset - at]);
    at = offset + length;
  }
  // GNU tar says by it how long the file is.
  ranges.push([at, size - at]);
  return ranges;
}

/** The map that stands before the data of a sparse member, padded (GNU tar manual, "PAX Format, Version 1.0"). */
export function encodeSparseMap(ranges: readonly Range[]): Buffer {
  const text = [ranges.length, ...ranges.flat()].join('\n') + '\n';
  const map = Buffer.alloc(Math.ceil(text.length / BLOCK_BYTES) * BLOCK_BYTES);
  map.write(text, 'latin1');
  return map;
}

/** What a sparse member is made of. */
export interface SparseLayout {
  /** Ranges of zeros that are not stored: no more than an entry may have. */
  readonly holes: readonly Range[];
  /** Where the bytes of the stream go, and where zeros stand that are stored after all; in order. */
  readonly pieces: readonly { readonly length: number; readonly zeros: boolean }[];
}

/**
 * The layout of a file of `size` bytes with data in `ranges`. Rejects with `TAR_INVALID` when they overlap, are not in order, lie
 * outside of the file, or leave more small holes than can be kept.
 */
export function sparseLayout(ranges: readonly Range[], size: number, offset: number): SparseLayout {
  if (!Number.isSafeInteger(size) || size < 0) throw tarError(offset, 'the size of a sparse file is out of range');
  const all: Range[] = [];
  let at = 0;
  for (const [start, length] of ranges) {
    if (start < at || length < 0 || !Number.isSafeInteger(start + length) || start + length > size) {
      throw tarError(offset, 'the map of a sparse file is not in order');
    }
    if (length === 0) continue;
    if (start > at) all.push([at, start - at]);
    at = start + length;
  }
  if (size > at) all.push([at, size - at]);
  const holes = longest(all);
  const kept = new Set(holes);
  const filled = all.reduce((sum, hole) => sum + (kept.has(hole) ? 0 : hole[1]), 0);
  if (filled > LIMITS.tarZeroBytes) throw tarError(offset, 'a sparse file has too many holes');
  const pieces: { length: number; zeros: boolean }[] = [];
  at = 0;
  for (const hole of all) {
    if (hole[0] > at) pieces.push({ length: hole[0] - at, zeros: false });
    if (!kept.has(hole)) pieces.push({ length: hole[1], zeros: true });
    at = hole[0] + hole[1];
  }
  if (size > at) pieces.push({ length: size - at, zeros: false });
  return { holes, pieces };
}

function longest(holes: readonly Range[]): readonly Range[] {
  if (holes.length <= LIMITS.holes) return holes;
  return [...holes]
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, LIMITS.holes)
    .sort((a, b) => a[0] - b[0]);
}
