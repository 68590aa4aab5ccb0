import { CONTENT_RECORD_BYTES, type ContentBuilder } from '../tree/content.ts';
import type { Crew } from './crew.ts';
import type { ContentRange, JobResult } from './messages.ts';

/** Bytes of content whose chunk ends one job finds; short enough that what was read is still in the page cache. */
const CUT_BUDGET = 64 * 1024 * 1024;
/** Bytes of content that one storing job takes. */
const STORE_BYTES = 8 * 1024 * 1024;

export interface LargeContent {
  readonly fd: number;
  readonly holes: readonly (readonly [number, number])[];
  /** Bytes of content, holes left out. */
  readonly length: number;
}

/**
 * Stores the content of a large file: one job after the other finds chunk ends, and the chunks in between are spread over all
 * processors. What is in flight is bounded by the crew's size, whatever the file's.
 * @returns bytes stored: fewer than `length` when the file shrank.
 */
export async function storeLargeContent(crew: Crew, content: LargeContent, builder: ContentBuilder): Promise<number> {
  const stores: { readonly wanted: number; readonly result: Promise<JobResult> }[] = [];
  const { fd, holes, length } = content;
  let stored = 0;
  let shrank = false;

  /** Takes the oldest group. After a short one nothing more is taken: what follows is beyond the file's new end. */
  async function takeOldest(): Promise<void> {
    const oldest = stores.shift();
    const result = await oldest?.result;
    if (oldest === undefined || result?.kind !== 'store') return;
    if (shrank) return;
    const records = Buffer.from(result.records.buffer, result.records.byteOffset, result.records.byteLength);
    let got = 0;
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      const size = Number(records.readBigUInt64LE(at + 32));
      builder.add(records.subarray(at, at + 32), size);
      got += size;
    }
    stored += got;
    shrank = got < oldest.wanted;
  }

  try {
    for (let position = 0; position < length && !shrank;) {
      const cut = await crew.submit({ kind: 'cut', fd, holes, position, end: length, budget: CUT_BUDGET }, true);
      if (cut.kind !== 'cut' || cut.lengths.length === 0) break;
      for (const ranges of groups(position, cut.lengths)) {
        const wanted = ranges.reduce((sum, range) => sum + range.length, 0);
        const result = crew.submit({ kind: 'store', fd, holes, ranges }, true);
        // A rejection is met when its turn comes; until then it must not count as unhandled.
        result.catch(() => undefined);
        stores.push({ wanted, result });
        position += wanted;
      }
      while (stores.length > crew.enough) await takeOldest();
    }
    while (stores.length > 0) await takeOldest();
  } finally {
    await Promise.allSettled(stores.map((store) => store.result));
  }
  return stored;
}

function* groups(position: number, lengths: readonly number[]): Generator<ContentRange[]> {
  let ranges: ContentRange[] = [];
  let bytes = 0;
  let at = position;
  for (const length of lengths) {
    ranges.push({ position: at, length });
    at += length;
    bytes += length;
    if (bytes >= STORE_BYTES) {
      yield ranges;
      ranges = [];
      bytes = 0;
    }
  }
  if (ranges.length > 0) yield ranges;
}
