import type { ChunkSource, Clock } from '@cairn/core';

/** What is thrown when time is over. */
export const LATE = new Error('the time for this request is over');

/** A source that ends whoever reads from it after some milliseconds, by throwing `LATE`. */
export function endingLate(source: ChunkSource, clock: Clock, afterMs: number): ChunkSource {
  const endMs = clock.monotonicMs() + afterMs;
  return {
    chunk: async (type, id) => {
      if (clock.monotonicMs() > endMs) throw LATE;
      return await source.chunk(type, id);
    },
  };
}
