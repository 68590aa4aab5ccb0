import type { ArchiveRecord, ByteString, ChunkSource, Clock, Repository } from '@cairn/core';

import { changeJson, type JsonObject } from '../shapes/index.ts';
import { endingLate, LATE } from './late-source.ts';

export interface DiffRequest {
  readonly before: ArchiveRecord;
  readonly after: ArchiveRecord;
  /** What is at and below these. */
  readonly paths: readonly ByteString[];
  /** Differences that are given at most. */
  readonly limit: number;
  /** Milliseconds that it may take. */
  readonly timeMs: number;
  readonly signal: AbortSignal;
}

/** Compares two archives as `cairn diff` does. Rejects with `PATH_MISSING` for a path that neither has. */
export async function compareArchives(
  repository: Repository,
  reader: ChunkSource,
  clock: Clock,
  { before, after, paths, limit, timeMs, signal }: DiffRequest,
): Promise<JsonObject> {
  const changes: JsonObject[] = [];
  const found = (stopped?: 'limit' | 'time'): JsonObject => ({
    before: before.name,
    after: after.name,
    changes,
    ...(stopped === undefined ? {} : { stopped }),
  });
  const source = endingLate(reader, clock, timeMs);
  const only = paths.map((path) => Buffer.from(path, 'latin1'));
  try {
    for await (const change of repository.diff(before, after, { paths: only, source, signal })) {
      if (changes.length >= limit) return found('limit');
      changes.push(changeJson(change));
    }
  } catch (error) {
    if (error === LATE) return found('time');
    throw error;
  }
  return found();
}
