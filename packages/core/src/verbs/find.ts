import type { ByteString } from '../host/byte-path.ts';
import { bytesOf } from '../host/byte-path.ts';
import { IdSet } from '../index/id-set.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { childPath, pathNames, pathOf } from '../tree/archive-path.ts';
import { ArchiveView, type WalkedEntry } from '../tree/archive-view.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import type { ContentReference } from '../tree/content.ts';
import { DirectoryReader } from '../tree/directory-reader.ts';
import { encodedKind } from '../tree/encoded-entry.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { listArchives } from './archives.ts';

/** Matches that are remembered for directories met again, over all directories. */
const REMEMBERED_MATCHES = 50_000;

export interface FindOptions {
  /** Where to look; all live archives unless given. */
  readonly archives?: readonly ArchiveRecord[];
  /** Says of a path (byte string, from the archive's root, beginning with a slash) whether it is looked for. Must be pure. */
  readonly match: (path: ByteString) => boolean;
  /** Looks below this path only. An archive that does not have it has no matches. */
  readonly under?: ByteString;
  /** What trees are read from, such as the reader of a program that stays. Default: one of its own. */
  readonly source?: ChunkSource;
  readonly signal?: AbortSignal;
}

/** An entry that was looked for, and the archive that it is in. */
export interface Found extends WalkedEntry {
  readonly archive: ArchiveRecord;
}

/**
 * Searches archives for paths, the newest archive first, within one in the order of a walk. A directory that is the same in
 * several archives is read once. Rejects like `ArchiveView.walk`.
 */
export async function* findPaths(access: RepositoryAccess, options: FindOptions): AsyncGenerator<Found> {
  const { match, under = '/', signal } = options;
  const archives = options.archives ?? listArchives(access.log.state);
  const source = options.source ?? (await access.chunkReader());
  const search = new Search(source, match, (path, content) => subtreeKey(access, path, content), signal);
  for (const archive of archives.toSorted((a, b) => b.seq - a.seq)) {
    const top = await new ArchiveView(source, archive).entryIfAny(under);
    if (top === undefined) continue;
    for await (const found of search.below({ path: pathOf(pathNames(under)), entry: top })) yield { archive, ...found };
  }
}

/** A directory at a path: what matches below it is always the same. */
function subtreeKey(access: RepositoryAccess, path: ByteString, content: ContentReference): Uint8Array {
  return access.suite.sha256(Uint8Array.of(content.level), content.records, bytesOf(path));
}

interface OpenDirectory {
  readonly path: ByteString;
  readonly key: Uint8Array;
  readonly reader: DirectoryReader;
  /** What was found below it so far; undefined once that is too much to remember. */
  matches: WalkedEntry[] | undefined;
}

class Search {
  private readonly source: ChunkSource;
  private readonly match: FindOptions['match'];
  private readonly keyOf: (path: ByteString, content: ContentReference) => Uint8Array;
  private readonly signal: AbortSignal | undefined;
  /** Directories without a match below them. */
  private readonly empty = new IdSet();
  /** Directories with some, the one used last at the end. */
  private readonly remembered = new Map<string, readonly WalkedEntry[]>();
  private rememberedMatches = 0;

  constructor(
    source: ChunkSource,
    match: FindOptions['match'],
    keyOf: (path: ByteString, content: ContentReference) => Uint8Array,
    signal: AbortSignal | undefined,
  ) {
    this.source = source;
    this.match = match;
    this.keyOf = keyOf;
    this.signal = signal;
  }

  /** The matches at and below `top`. */
  async *below(top: WalkedEntry): AsyncGenerator<WalkedEntry> {
    if (this.match(top.path)) yield top;
    const stack: OpenDirectory[] = [];
    yield* this.enter(stack, top.path, top.entry);
    for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
      const encoded = open.reader.next();
      if (encoded === 'more') {
        throwIfCancelled(this.signal, 'find');
        await open.reader.load();
      } else if (encoded === undefined) {
        stack.pop();
        this.finish(open, stack.at(-1));
      } else {
        const path = childPath(open.path, encoded.name);
        const matches = this.match(path);
        const isDirectory = encodedKind(encoded) === ENTRY_KIND.directory;
        if (!matches && !isDirectory) continue;
        const entry = decodeEntry(encoded.bytes);
        if (matches) {
          note(open, [{ path, entry }]);
          yield { path, entry };
        }
        if (isDirectory) yield* this.enter(stack, path, entry);
      }
    }
  }

  /** Opens a directory, or gives what is remembered of it. */
  private enter(stack: OpenDirectory[], path: ByteString, entry: TreeEntry): readonly WalkedEntry[] {
    if (entry.kind !== ENTRY_KIND.directory || entry.content === null || entry.content.length === 0) return [];
    const key = this.keyOf(path, entry.content);
    if (this.empty.has(key)) return [];
    const known = this.recall(key);
    if (known === undefined) {
      const enters = (name: ByteString, below: ContentReference): boolean =>
        !this.empty.has(this.keyOf(childPath(path, name), below));
      stack.push({ path, key, reader: new DirectoryReader(this.source, entry.content, enters), matches: [] });
      return [];
    }
    const parent = stack.at(-1);
    if (parent !== undefined) note(parent, known);
    return known;
  }

  private finish(done: OpenDirectory, parent: OpenDirectory | undefined): void {
    const { matches, key } = done;
    if (parent !== undefined) note(parent, matches);
    if (matches === undefined) return;
    if (matches.length === 0) {
      this.empty.add(key);
      return;
    }
    this.remembered.set(nameOf(key), matches);
    this.rememberedMatches += matches.length;
    for (const [oldest, forgotten] of this.remembered) {
      if (this.rememberedMatches <= REMEMBERED_MATCHES) break;
      this.remembered.delete(oldest);
      this.rememberedMatches -= forgotten.length;
    }
  }

  private recall(key: Uint8Array): readonly WalkedEntry[] | undefined {
    const name = nameOf(key);
    const known = this.remembered.get(name);
    if (known === undefined) return undefined;
    this.remembered.delete(name);
    this.remembered.set(name, known);
    return known;
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

/** Adds what was found below a directory; `undefined` and more than can be remembered both mean: too much. */
function note(open: OpenDirectory, matches: readonly WalkedEntry[] | undefined): void {
  if (open.matches === undefined) return;
  if (matches === undefined || open.matches.length + matches.length > REMEMBERED_MATCHES) open.matches = undefined;
  else for (const match of matches) open.matches.push(match);
}
