import { CairnError, isCairnError } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { ByteRange } from '../ports/object-store.ts';
import { childPath, pathNames, pathOf } from './archive-path.ts';
import type { ChunkSource } from './chunk-source.ts';
import { EMPTY_CONTENT } from './content.ts';
import { DirectoryReader, readDirectory } from './directory-reader.ts';
import { decodeEntry, ENTRY_KIND, ENTRY_KIND_NAME, type TreeEntry } from './entry.ts';
import { FileReader } from './file-reader.ts';
import { findChild } from './lookup.ts';

/** An entry and where it is. */
export interface WalkedEntry {
  /** From the archive's root, beginning with a slash. */
  readonly path: ByteString;
  readonly entry: TreeEntry;
}

/**
 * An archive as a tree of files. Everything is read when it is asked for. Paths are byte strings from the archive's root, with
 * or without a slash before them. All methods reject with `CORRUPT`, `OBJECT_MISSING` or `RIGHT_MISSING` when a part of the
 * archive cannot be read, naming the path.
 */
export class ArchiveView {
  readonly archive: ArchiveRecord;
  private readonly source: ChunkSource;
  private decodedRoot: TreeEntry | undefined;

  constructor(source: ChunkSource, archive: ArchiveRecord) {
    this.source = source;
    this.archive = archive;
  }

  /** The entry of `/`; its name is empty. */
  root(): TreeEntry {
    try {
      this.decodedRoot ??= decodeEntry(this.archive.descriptor.root, true);
      return this.decodedRoot;
    } catch (error) {
      throw this.located(error, '/');
    }
  }

  /** The entry at `path`; symlinks are not followed. Rejects with `PATH_MISSING`, the hint naming what of it exists. */
  async entry(path: ByteString): Promise<TreeEntry> {
    const names = pathNames(path);
    const { entry, depth } = await this.descend(names);
    if (depth < names.length) throw this.missing(pathOf(names), pathOf(names.slice(0, depth)), entry);
    return entry;
  }

  /** As `entry`, with undefined when the archive has no such path. */
  async entryIfAny(path: ByteString): Promise<TreeEntry | undefined> {
    const names = pathNames(path);
    const { entry, depth } = await this.descend(names);
    return depth < names.length ? undefined : entry;
  }

  /** The entries of the directory at `path`, in the order of their names' bytes. Rejects with `PATH_MISSING` or `USAGE`. */
  async *entries(path: ByteString): AsyncGenerator<TreeEntry> {
    const directory = await this.entry(path);
    this.assertKind(path, directory, ENTRY_KIND.directory);
    try {
      yield* readDirectory(this.source, directory.content ?? EMPTY_CONTENT);
    } catch (error) {
      throw this.located(error, path);
    }
  }

  /**
   * The entry at `path` and everything below it: a directory before its entries, these in the order of their names' bytes.
   * Memory is one chunk for each level of directories.
   * @param depth levels to go down; 0 is `path` alone, 1 its entries too.
   */
  async *walk(path: ByteString = '/', options: { readonly depth?: number } = {}): AsyncGenerator<WalkedEntry> {
    const { depth = Infinity } = options;
    const top = { path: pathOf(pathNames(path)), entry: await this.entry(path) };
    yield top;
    const stack: OpenDirectory[] = [];
    const deeper = depth === Infinity;
    if (depth > 0) this.enter(stack, top, deeper);
    for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
      const walked = await this.next(open);
      if (walked === undefined) {
        stack.pop();
        continue;
      }
      yield walked;
      if (stack.length < depth) this.enter(stack, walked, deeper);
    }
  }

  /**
   * The bytes of the file at `path`, in pieces, or those of them that lie in `range`. Holes are zeros. The pieces must not be
   * changed. Rejects with `PATH_MISSING`, with `USAGE` when it is not a file; never ends early.
   */
  async *read(path: ByteString, range?: ByteRange): AsyncGenerator<Uint8Array> {
    const file = await this.entry(path);
    this.assertKind(path, file, ENTRY_KIND.file);
    try {
      yield* new FileReader(this.source, file).read(range);
    } catch (error) {
      throw this.located(error, path);
    }
  }

  /** The entry reached by following `names` as far as they exist, and how many of them that are. */
  private async descend(names: readonly ByteString[]): Promise<{ readonly entry: TreeEntry; readonly depth: number }> {
    let entry = this.root();
    for (const [depth, name] of names.entries()) {
      const found = await this.child(names.slice(0, depth), entry, name);
      if (found === undefined) return { entry, depth };
      entry = found;
    }
    return { entry, depth: names.length };
  }

  private async child(
    names: readonly ByteString[],
    directory: TreeEntry,
    name: ByteString,
  ): Promise<TreeEntry | undefined> {
    if (directory.kind !== ENTRY_KIND.directory) return undefined;
    try {
      return await findChild(this.source, directory.content ?? EMPTY_CONTENT, name);
    } catch (error) {
      throw this.located(error, pathOf(names));
    }
  }

  /** @param deeper the directories in it are entered, too. */
  private enter(stack: OpenDirectory[], { path, entry }: WalkedEntry, deeper: boolean): void {
    if (entry.kind !== ENTRY_KIND.directory || entry.content === null) return;
    if (stack.length >= LIMITS.treeDepth) {
      throw this.located(new CairnError('LIMIT_EXCEEDED', 'directories are nested too deeply'), path);
    }
    stack.push({ path, reader: new DirectoryReader(this.source, entry.content, () => deeper) });
  }

  private async next({ path, reader }: OpenDirectory): Promise<WalkedEntry | undefined> {
    try {
      let encoded = reader.next();
      while (encoded === 'more') {
        await reader.load();
        encoded = reader.next();
      }
      if (encoded === undefined) return undefined;
      return { path: childPath(path, encoded.name), entry: decodeEntry(encoded.bytes) };
    } catch (error) {
      throw this.located(error, path);
    }
  }

  private missing(path: ByteString, parent: ByteString, found: TreeEntry): CairnError {
    return new CairnError('PATH_MISSING', `there is no ${displayName(path)} in ${this.archive.name}`, {
      hint:
        found.kind === ENTRY_KIND.directory
          ? `The archive has ${displayName(parent)}; see with \`cairn ls\` what is in there. Paths are whole paths.`
          : `In this archive ${displayName(parent)} is a ${ENTRY_KIND_NAME[found.kind]}.`,
    });
  }

  private assertKind(path: ByteString, entry: TreeEntry, kind: TreeEntry['kind']): void {
    if (entry.kind === kind) return;
    throw new CairnError(
      'USAGE',
      `${displayName(path)} in ${this.archive.name} is a ${ENTRY_KIND_NAME[entry.kind]}, not a ${ENTRY_KIND_NAME[kind]}`,
    );
  }

  /** An error of reading chunks, with the path that it happened at. */
  private located(error: unknown, path: ByteString): unknown {
    if (!isCairnError(error) || error.code === 'USAGE') return error;
    const { code, message, hint } = error;
    return new CairnError(code, `${displayName(path)} in ${this.archive.name}: ${message}`, {
      ...(hint === undefined ? {} : { hint }),
      cause: error,
    });
  }
}

interface OpenDirectory {
  readonly path: ByteString;
  readonly reader: DirectoryReader;
}
