import { Turns, type ChunkSource, type Clock } from '@cairn/core';

/**
 * A source that lets others in from time to time: whoever reads chunk after chunk that are in memory would otherwise keep every
 * other request waiting.
 */
export function patientSource(source: ChunkSource, clock: Clock): ChunkSource {
  const turns = new Turns(clock);
  return {
    chunk: async (type, id) => {
      const wait = turns.yieldIfDue();
      if (wait !== undefined) await wait;
      return await source.chunk(type, id);
    },
  };
}
