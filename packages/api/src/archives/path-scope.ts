import { CairnError, displayName, type ArchiveRecord, type ByteString } from '@cairn/core';

import { isWithin, normalPath } from './archive-path.ts';

/**
 * The part of each archive that somebody may see: everything, or what is at and below some paths. What leads to these is shown
 * as far as names go, so that they can be found; nothing beside the way is.
 */
export class PathScope {
  /** Everything. */
  static readonly all = new PathScope(undefined);
  /** The same for two scopes that show the same. */
  readonly key: string;
  private readonly tops: readonly ByteString[] | undefined;

  private constructor(tops: readonly ByteString[] | undefined) {
    this.tops = tops;
    this.key = tops === undefined ? '' : tops.join('\0');
  }

  /** @param paths undefined: everything; an empty list: nothing. */
  static of(paths: readonly ByteString[] | undefined): PathScope {
    if (paths === undefined) return PathScope.all;
    const sorted = [...new Set(paths.map(normalPath))].toSorted();
    return new PathScope(sorted.filter((path) => !sorted.some((top) => top !== path && isWithin(path, top))));
  }

  /** True when it leaves something out. */
  get isPartial(): boolean {
    return this.tops?.includes('/') !== true && this.tops !== undefined;
  }

  /** True when all that is at and below `path` may be seen. */
  covers(path: ByteString): boolean {
    return this.tops === undefined || this.tops.some((top) => isWithin(path, top));
  }

  /** True when the name at `path` may be seen: it is covered, or leads to what is. */
  shows(path: ByteString): boolean {
    return this.covers(path) || (this.tops ?? []).some((top) => isWithin(top, path));
  }

  /** Rejects with `RIGHT_MISSING` when nothing at `path` may be seen. It does not tell whether something is there. */
  assertShows(path: ByteString): void {
    if (!this.shows(path)) throw this.refusal(path);
  }

  /** Rejects with `RIGHT_MISSING` unless all of `path` may be seen. */
  assertCovers(path: ByteString): void {
    if (!this.covers(path)) throw this.refusal(path);
  }

  /**
   * What of these paths may be seen: a path that leads to the scope stands for the parts of the scope below it. Rejects with
   * `RIGHT_MISSING` when there is nothing of one of them to see.
   */
  within(paths: readonly ByteString[]): readonly ByteString[] {
    return paths.flatMap((path) => {
      if (this.covers(path)) return [path];
      this.assertShows(path);
      return (this.tops ?? []).filter((top) => isWithin(top, path));
    });
  }

  /** True when an archive may have something that is in the scope, going by the paths it was made of. */
  concerns(archive: ArchiveRecord): boolean {
    if (this.tops === undefined) return true;
    const sources = archive.descriptor.paths.map((path) => Buffer.from(path).toString('latin1'));
    return this.tops.some((top) => sources.some((source) => isWithin(top, source) || isWithin(source, top)));
  }

  private refusal(path: ByteString): CairnError {
    const own = (this.tops ?? []).map(displayName).join(', ');
    return new CairnError('RIGHT_MISSING', `this account may not see ${displayName(path)}`, {
      hint: own === '' ? 'No path was given to it. Ask an administrator.' : `It may see ${own}.`,
    });
  }
}
