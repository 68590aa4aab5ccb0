import { isCairnError, type ByteString } from '@cairn/core';

import type { ArchiveSource, ArchiveViewCache } from './archive-view-cache.ts';
import type { PathScope } from './path-scope.ts';

/**
 * The paths that `scope` shows of those that are wanted, as far as one of the archives has them. A path that was asked for by its name must
 * be there; of an account's own paths, which stand for a part of what it asked for, not every archive has each. Rejects with
 * `RIGHT_MISSING` as `PathScope.within`, and with `PATH_MISSING`.
 */
export async function presentPaths(
  views: ArchiveViewCache,
  archives: readonly ArchiveSource[],
  wanted: readonly ByteString[],
  scope: PathScope,
): Promise<readonly ByteString[]> {
  const present: ByteString[] = [];
  let missing: unknown;
  for (const path of scope.within(wanted)) {
    const problem = await missingIn(views, archives, path);
    if (problem === undefined) present.push(path);
    else if (wanted.includes(path)) throw problem;
    else missing = problem;
  }
  if (present.length === 0) throw missing;
  return present;
}

/** Undefined when one of the archives has the path; else what the last one said. Rejects with what is no missing path. */
async function missingIn(
  views: ArchiveViewCache,
  archives: readonly ArchiveSource[],
  path: ByteString,
): Promise<unknown> {
  let problem: unknown;
  for (const archive of archives) {
    try {
      await views.entry(archive, path);
      return undefined;
    } catch (error) {
      if (!isCairnError(error, 'PATH_MISSING')) throw error;
      problem = error;
    }
  }
  return problem;
}
