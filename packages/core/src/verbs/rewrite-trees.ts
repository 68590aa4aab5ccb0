import { DirectoryBuilder, type TreeStorage } from '../backup/directory-builder.ts';
import { CairnError } from '../errors.ts';
import { bytesOf, displayName, type ByteString } from '../host/byte-path.ts';
import { IdSet } from '../index/id-set.ts';
import { LIMITS } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { childPath } from '../tree/archive-path.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { EMPTY_CONTENT, type ContentReference } from '../tree/content.ts';
import { DirectoryReader, readDirectory, type EncodedEntry } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, EntryEncoder, type TreeEntry } from '../tree/entry.ts';

/** What was, or would be, left out. */
export interface Removed {
  readonly files: number;
  readonly directories: number;
  readonly others: number;
  /** Content of the files, bytes. */
  readonly bytes: number;
}

const NOTHING: Removed = { files: 0, directories: 0, others: 0, bytes: 0 };

/** A directory without what was left out; its content is undefined when no trees are made. */
interface Rewritten {
  readonly content: ContentReference | undefined;
  readonly removed: Removed;
}

export interface RewriteTools {
  readonly suite: CryptoSuite;
  readonly source: ChunkSource;
  /** Whether a path (byte string, from the archive's root) is to be left out. Must be pure. */
  readonly match: (path: ByteString, isDirectory: boolean) => boolean;
  /** Where new trees go; undefined to count only. */
  readonly storage: TreeStorage | undefined;
  /** Called between chunks, when packs may be passed on. */
  readonly onTurn: () => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes trees anew without some of their paths. Only directories on the way to what is left out are written; all others stay
 * the chunks that they are, and file contents are not read. A directory that is the same in several archives is looked at once.
 */
export class TreeRewriter {
  private readonly tools: RewriteTools;
  private readonly encoder = new EntryEncoder();
  /** Directories at their paths, of which nothing is left out. */
  private readonly untouched = new IdSet();
  /** Those of which something is. */
  private readonly known = new Map<string, Rewritten>();

  constructor(tools: RewriteTools) {
    this.tools = tools;
  }

  /** The root entry of an archive without what is left out; undefined when that is nothing. Rejects when a tree is damaged. */
  async root(encoded: Uint8Array): Promise<{ readonly root: Uint8Array; readonly removed: Removed } | undefined> {
    const entry = decodeEntry(encoded, true);
    const rewritten = await this.directory('/', entry.content ?? EMPTY_CONTENT, 0);
    if (rewritten === undefined) return undefined;
    return { root: this.encode(entry, rewritten), removed: rewritten.removed };
  }

  private encode(entry: TreeEntry, { content }: Rewritten): Buffer {
    return this.encoder.encode({ ...entry, content: content ?? entry.content });
  }

  /** Undefined when nothing below it is left out. */
  private async directory(path: ByteString, content: ContentReference, depth: number): Promise<Rewritten | undefined> {
    if (depth > LIMITS.treeDepth) {
      throw new CairnError('CORRUPT', `${displayName(path)}: directories are nested too deeply`, {
        hint: 'Run `cairn check` to see what is affected.',
      });
    }
    const { suite, storage } = this.tools;
    const key = suite.sha256(Uint8Array.of(content.level), content.records, bytesOf(path));
    if (this.untouched.has(key)) return undefined;
    const name = Buffer.from(key).toString('latin1');
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const { removed, changed } = await this.look(path, content, depth);
    if (changed === undefined) {
      this.untouched.add(key);
      return undefined;
    }
    const made = storage === undefined ? undefined : await this.write(path, content, changed, storage);
    const rewritten = { content: made, removed };
    this.known.set(name, rewritten);
    return rewritten;
  }

  /** What is left out in and below a directory, and its subdirectories that change; undefined when nothing is. */
  private async look(
    path: ByteString,
    content: ContentReference,
    depth: number,
  ): Promise<{ readonly removed: Removed; readonly changed: ReadonlyMap<ByteString, Rewritten> | undefined }> {
    const changed = new Map<ByteString, Rewritten>();
    let removed = NOTHING;
    let any = false;
    for await (const entry of readDirectory(this.tools.source, content)) {
      throwIfCancelled(this.tools.signal, 'rewrite');
      const below = childPath(path, entry.name);
      const isDirectory = entry.kind === ENTRY_KIND.directory;
      if (this.tools.match(below, isDirectory)) {
        any = true;
        removed = sum(removed, await this.count(entry, depth + 1));
      } else if (isDirectory) {
        const rewritten = await this.directory(below, entry.content ?? EMPTY_CONTENT, depth + 1);
        if (rewritten === undefined) continue;
        any = true;
        removed = sum(removed, rewritten.removed);
        changed.set(entry.name, rewritten);
      }
    }
    return { removed, changed: any ? changed : undefined };
  }

  /** The directory's stream without what is left out. */
  private async write(
    path: ByteString,
    content: ContentReference,
    changed: ReadonlyMap<ByteString, Rewritten>,
    storage: TreeStorage,
  ): Promise<ContentReference> {
    let done: ContentReference | undefined;
    const builder = new DirectoryBuilder(storage, { count: 0 }, (made) => (done = made));
    const reader = new DirectoryReader(this.tools.source, content);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      if (next === 'more') {
        await reader.load();
        await this.tools.onTurn();
      } else {
        const bytes = this.kept(path, next, changed.get(next.name));
        if (bytes !== undefined) builder.fill(builder.reserve(), bytes);
      }
    }
    builder.close();
    return done ?? EMPTY_CONTENT;
  }

  private kept(path: ByteString, { name, bytes }: EncodedEntry, changed: Rewritten | undefined): Buffer | undefined {
    const entry = decodeEntry(bytes);
    if (this.tools.match(childPath(path, name), entry.kind === ENTRY_KIND.directory)) return undefined;
    return changed === undefined ? bytes : this.encode(entry, changed);
  }

  /** An entry and everything below it. */
  private async count(entry: TreeEntry, depth: number): Promise<Removed> {
    if (entry.kind === ENTRY_KIND.file) return { ...NOTHING, files: 1, bytes: entry.size };
    if (entry.kind !== ENTRY_KIND.directory) return { ...NOTHING, others: 1 };
    let counted: Removed = { ...NOTHING, directories: 1 };
    if (entry.content === null || depth > LIMITS.treeDepth) return counted;
    for await (const below of readDirectory(this.tools.source, entry.content)) {
      throwIfCancelled(this.tools.signal, 'rewrite');
      counted = sum(counted, await this.count(below, depth + 1));
    }
    return counted;
  }
}

function sum(a: Removed, b: Removed): Removed {
  return {
    files: a.files + b.files,
    directories: a.directories + b.directories,
    others: a.others + b.others,
    bytes: a.bytes + b.bytes,
  };
}
