import {
  ArchiveView,
  CairnError,
  displayName,
  ENTRY_KIND,
  ENTRY_KIND_NAME,
  isCairnError,
  Turns,
  type ArchiveRecord,
  type ByteString,
  type ChunkSource,
  type Clock,
  type ContentReference,
  type TreeEntry,
} from '@cairn/core';
import { createHash } from 'node:crypto';

import { BoundedCache } from './bounded-cache.ts';
import type { PathScope } from './path-scope.ts';
import { pathIn, readShownDirectory, type ShownDirectory } from './shown-directory.ts';

/** Bytes of directories that are kept for all repositories together: eight of 10,000 entries. */
const DIRECTORY_BYTES = 24 * 1024 * 1024;
/** Bytes of entries that are kept by their path. */
const ENTRY_BYTES = 4 * 1024 * 1024;
/** About what an entry takes, beside its path and its references. */
const BYTES_OF_ENTRY = 600;

/** Where an archive is read from. */
export interface ArchiveSource {
  readonly archive: ArchiveRecord;
  readonly source: ChunkSource;
}

/**
 * Entries and directories of archives that were looked at lately. Archives never change, so nothing here gets old; a directory
 * that is the same in several archives is kept once.
 */
export class ArchiveViewCache {
  private readonly clock: Clock;
  private readonly directories = new BoundedCache<ShownDirectory>(DIRECTORY_BYTES);
  private readonly entries = new BoundedCache<TreeEntry>(ENTRY_BYTES);

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** The entry at `path`; links are not followed. Rejects with `PATH_MISSING`, and as `ArchiveView.entry`. */
  async entry({ archive, source }: ArchiveSource, path: ByteString): Promise<TreeEntry> {
    return await this.entries.get(
      `${archive.id}${path}`,
      () => new ArchiveView(source, archive).entry(path),
      ({ content }) => BYTES_OF_ENTRY + path.length + (content?.records.length ?? 0),
    );
  }

  /** The directory at `path`, as far as `scope` shows it. Rejects as `entry` does, and with `USAGE` when it is none. */
  async directory(from: ArchiveSource, path: ByteString, scope: PathScope): Promise<ShownDirectory> {
    const entry = await this.entry(from, path);
    if (entry.kind !== ENTRY_KIND.directory) throw notA('directory', from.archive, path, entry);
    const whole = scope.covers(path);
    const shows = whole ? undefined : (name: ByteString): boolean => scope.shows(pathIn(path, name));
    const turns = new Turns(this.clock);
    return await locating(from.archive, path, () =>
      this.directories.get(
        `${path}\0${contentKey(entry.content)}\0${whole ? '' : scope.key}`,
        () => readShownDirectory(from.source, entry.content, path, turns, shows),
        ({ memoryBytes }) => memoryBytes,
      ),
    );
  }

  /** The file at `path`. Rejects as `entry` does, and with `USAGE` for what has no content: a link is not followed. */
  async file(from: ArchiveSource, path: ByteString): Promise<TreeEntry> {
    const entry = await this.entry(from, path);
    if (entry.kind !== ENTRY_KIND.file) throw notA('file', from.archive, path, entry);
    return entry;
  }
}

/** Does `work`; what it says of damage is said of that path. */
async function locating<T>(archive: ArchiveRecord, path: ByteString, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isCairnError(error, 'CORRUPT') && !isCairnError(error, 'OBJECT_MISSING')) throw error;
    throw new CairnError(error.code, `${displayName(path)} in ${archive.name}: ${error.message}`, {
      hint: 'Run a check of the repository to learn what is affected.',
      cause: error,
    });
  }
}

/** The same for contents that are the same: ids of chunks are keyed hashes of their plaintext. */
export function contentKey(content: ContentReference | null): string {
  const hash = createHash('sha256');
  if (content !== null) hash.update(Uint8Array.of(content.level)).update(content.records);
  return hash.digest('hex');
}

function notA(kind: string, { name }: ArchiveRecord, path: ByteString, entry: TreeEntry): CairnError {
  return new CairnError('USAGE', `${displayName(path)} in ${name} is a ${ENTRY_KIND_NAME[entry.kind]}, not a ${kind}`, {
    hint: 'Links are entries of their own: ask for the path that one leads to.',
  });
}
