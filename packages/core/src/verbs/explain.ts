import { constants } from 'node:fs';

import { cacheTagIn, holds, openIfReadable } from '../backup/selection-choice.ts';
import { systemErrorCode } from '../errors.ts';
import { AT_FDCWD, closeFd, openAt, statAt } from '../host/at-calls.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { getInodeFlags, INODE_FLAG } from '../host/inode-flags.ts';
import { explainPath, pathsBetween, type Explanation } from '../scan/explain.ts';
import type { ScannedEntry, Selection } from '../scan/selection.ts';
import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';

export type { Explanation } from '../scan/explain.ts';

const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Why a path has no entry to look at. */
const ABSENT: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR'];

/**
 * Says whether a backup of these sources takes `path`, and which rule decides. Nothing needs to be there: a path that does
 * not exist is explained as an empty file, and what leads to it as directories without marks. Throws a system error when a
 * directory on the way cannot be looked into.
 * @param sources absolute byte strings, as `resolveSource` makes them; so is `path`.
 */
export function explainSource(selection: Selection, sources: readonly ByteString[], path: ByteString): Explanation {
  // A source inside another one adds nothing, so the outermost decides.
  const chains = sources.map((source) => pathsBetween(source, path)).filter((chain) => chain !== undefined);
  const chain = chains.sort((a, b) => b.length - a.length)[0];
  if (chain === undefined) {
    const text = `${displayName(path)} is left out: it is in none of the sources ${sources.map(displayName).join(', ')}.`;
    return { taken: false, decidedAt: path, decision: undefined, text };
  }
  const entries: PathEntry[] = [];
  for (const at of chain) entries.push(new PathEntry(at, entries.at(-1), at === path));
  return explainPath(selection, entries);
}

/** What is at a path now. */
class PathEntry implements ScannedEntry {
  readonly path: ByteString;
  readonly kind: EntryKind;
  readonly size: number;
  readonly device: number;
  readonly parentDevice: number;
  private readonly absent: boolean;

  constructor(path: ByteString, parent: PathEntry | undefined, isLast: boolean) {
    this.path = path;
    let absent = false;
    try {
      const status = statAt(AT_FDCWD, path);
      this.kind = status.kind;
      this.size = status.size;
      this.device = status.device;
    } catch (error) {
      if (!ABSENT.includes(systemErrorCode(error))) throw error;
      absent = true;
      this.kind = isLast ? ENTRY_KIND.file : ENTRY_KIND.directory;
      this.size = 0;
      this.device = parent?.device ?? 0;
    }
    this.parentDevice = parent?.device ?? this.device;
    this.absent = absent;
  }

  hasNodump(): boolean {
    if (this.absent) return false;
    const fd = openIfReadable(AT_FDCWD, this.path);
    if (fd === undefined) return false;
    try {
      return ((getInodeFlags(fd) ?? 0) & INODE_FLAG.noDump) !== 0;
    } finally {
      closeFd(fd);
    }
  }

  probe(name: ByteString): boolean {
    return !this.absent && this.inDirectory((fd) => holds(fd, name));
  }

  readCacheTag(): Uint8Array | undefined {
    return this.absent ? undefined : this.inDirectory(cacheTagIn);
  }

  private inDirectory<T>(look: (fd: number) => T): T {
    const fd = openAt(AT_FDCWD, this.path, DIRECTORY_FLAGS);
    try {
      return look(fd);
    } finally {
      closeFd(fd);
    }
  }
}
