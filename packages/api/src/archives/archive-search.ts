import {
  ENTRY_KIND,
  pathMatcher,
  type ArchiveRecord,
  type ByteString,
  type ChunkSource,
  type Clock,
  type Repository,
} from '@cairn/core';

import { entryJson, type JsonObject } from '../shapes/index.ts';
import { endingLate, LATE } from './late-source.ts';
import type { PathScope } from './path-scope.ts';

export interface SearchRequest {
  /** As excludes are written. */
  readonly patterns: readonly string[];
  readonly archives: readonly ArchiveRecord[];
  readonly under: ByteString;
  readonly scope: PathScope;
  /** Matches that are given at most. */
  readonly limit: number;
  /** Milliseconds that it may take. */
  readonly timeMs: number;
  readonly signal: AbortSignal;
}

export interface SearchResult {
  readonly found: readonly JsonObject[];
  /** What stopped it before it was through; undefined when it saw everything. */
  readonly stopped: 'limit' | 'time' | undefined;
}

/** Searches archives for paths, the newest archive first, as `cairn find` does. Rejects with `USAGE` for a pattern that is wrong. */
export async function searchArchives(
  repository: Repository,
  reader: ChunkSource,
  clock: Clock,
  request: SearchRequest,
): Promise<SearchResult> {
  const { archives, under, scope, limit, timeMs, signal } = request;
  const matches = pathMatcher(request.patterns);
  const found: JsonObject[] = [];
  const source = endingLate(reader, clock, timeMs);
  for (const top of scope.within([under])) {
    // Kinds are known only of what is found: patterns that end with a slash are tried again.
    const match = (path: ByteString): boolean => matches(path, true);
    const results = repository.find({ archives, match, under: top, source, signal });
    try {
      for await (const { archive, path, entry } of results) {
        if (!matches(path, entry.kind === ENTRY_KIND.directory)) continue;
        if (found.length >= limit) return { found, stopped: 'limit' };
        found.push({ archive: archive.name, archive_id: archive.id, ...entryJson(path, entry) });
      }
    } catch (error) {
      if (error === LATE) return { found, stopped: 'time' };
      throw error;
    }
  }
  return { found, stopped: undefined };
}
