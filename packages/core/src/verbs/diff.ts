import { CairnError } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { IdSet } from '../index/id-set.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { childPath, pathNames, pathOf } from '../tree/archive-path.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import { leafRecords, type ChunkSource } from '../tree/chunk-source.ts';
import { EMPTY_CONTENT, type ContentReference } from '../tree/content.ts';
import { DirectoryReader, type EncodedEntry } from '../tree/directory-reader.ts';
import { decodeEntry, ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';

/** What of an entry can differ. A directory's entries are changes of their own, not part of it. */
const CHANGED_PARTS = ['content', 'target', 'device', 'mode', 'owner', 'mtime', 'xattrs', 'flags'] as const;
/** What of an entry can differ. */
export type ChangedPart = (typeof CHANGED_PARTS)[number];

/** One difference between two archives. */
export interface Change {
  /** From the archives' root, beginning with a slash. */
  readonly path: ByteString;
  /** `type`: another kind of entry is at the path. */
  readonly change: 'added' | 'removed' | 'modified' | 'type';
  /** For `modified`: at least one. */
  readonly what: readonly ChangedPart[];
  readonly before?: TreeEntry;
  readonly after?: TreeEntry;
  /** Bytes of a file's later content that are in no chunk of the earlier one; holes do not count. */
  readonly addedBytes: number;
  /** Bytes of a file's earlier content that are in no chunk of the later one. */
  readonly removedBytes: number;
}

export interface DiffOptions {
  /** Compares only what is at and below these paths. */
  readonly paths?: readonly ByteString[];
  /** What trees are read from, such as the reader of a program that stays. Default: one of its own. */
  readonly source?: ChunkSource;
  readonly signal?: AbortSignal;
}

/**
 * The differences between two archives, in the order of a walk. Directories with the same content are not read, nor are file
 * contents: bytes are told by chunk ids. Inode numbers, ctime and link groups say nothing about a file and are not compared.
 * Rejects with `PATH_MISSING` for a path that neither archive has, else like `ArchiveView.walk`.
 */
export async function* diffArchives(
  access: RepositoryAccess,
  before: ArchiveRecord,
  after: ArchiveRecord,
  options: DiffOptions = {},
): AsyncGenerator<Change> {
  const source = options.source ?? (await access.chunkReader());
  const views = [new ArchiveView(source, before), new ArchiveView(source, after)] as const;
  for (const path of separatePaths(options.paths ?? ['/'])) {
    const [left, right] = await Promise.all(views.map((view) => view.entryIfAny(path)));
    if (left === undefined && right === undefined) {
      throw new CairnError('PATH_MISSING', `there is no ${displayName(path)} in ${before.name} or ${after.name}`);
    }
    yield* diffBelow(source, { path, before: left, after: right }, options.signal);
  }
}

/** The paths in order, without those below another one. */
function separatePaths(paths: readonly ByteString[]): ByteString[] {
  const sorted = [...new Set(paths.map((path) => pathOf(pathNames(path))))].toSorted();
  return sorted.filter((path) => !sorted.some((other) => other !== path && path.startsWith(childPath(other, ''))));
}

/** What is at one path; at least one of the two. */
interface Pair {
  readonly path: ByteString;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** A directory's stream with its next entry at hand. */
class Cursor {
  current: EncodedEntry | undefined;
  private readonly reader: DirectoryReader;

  constructor(source: ChunkSource, content: ContentReference) {
    this.reader = new DirectoryReader(source, content);
  }

  async advance(): Promise<void> {
    let entry = this.reader.next();
    while (entry === 'more') {
      await this.reader.load();
      entry = this.reader.next();
    }
    this.current = entry;
  }
}

interface OpenPair {
  readonly path: ByteString;
  readonly before: Cursor;
  readonly after: Cursor;
}

async function* diffBelow(source: ChunkSource, top: Pair, signal: AbortSignal | undefined): AsyncGenerator<Change> {
  const stack: OpenPair[] = [];
  for (let pair: Pair | undefined = top; pair !== undefined; pair = await nextPair(stack, signal)) {
    const change = await compare(source, pair);
    if (change !== undefined) yield change;
    const [before, after] = [directoryContent(pair.before), directoryContent(pair.after)];
    if (sameContent(before, after)) continue;
    const open = { path: pair.path, before: new Cursor(source, before), after: new Cursor(source, after) };
    await open.before.advance();
    await open.after.advance();
    stack.push(open);
  }
}

/** The next path whose entries are not the same to the byte, below the innermost open directories that have one. */
async function nextPair(stack: OpenPair[], signal: AbortSignal | undefined): Promise<Pair | undefined> {
  for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
    throwIfCancelled(signal, 'diff');
    const [left, right] = [open.before.current, open.after.current];
    if (left === undefined && right === undefined) {
      stack.pop();
      continue;
    }
    const takeLeft = left !== undefined && (right === undefined || left.name <= right.name);
    const takeRight = right !== undefined && (left === undefined || right.name <= left.name);
    if (takeLeft) await open.before.advance();
    if (takeRight) await open.after.advance();
    if (takeLeft && takeRight && left.bytes.equals(right.bytes)) continue;
    const name = takeLeft ? left.name : (right as EncodedEntry).name;
    return {
      path: childPath(open.path, name),
      before: takeLeft ? decodeEntry(left.bytes) : undefined,
      after: takeRight ? decodeEntry(right.bytes) : undefined,
    };
  }
  return undefined;
}

/** What there is to read of an entry as a directory: nothing of other kinds. */
function directoryContent(entry: TreeEntry | undefined): ContentReference {
  return (entry?.kind === ENTRY_KIND.directory ? entry.content : undefined) ?? EMPTY_CONTENT;
}

function fileContent(entry: TreeEntry | undefined): ContentReference {
  return (entry?.kind === ENTRY_KIND.file ? entry.content : undefined) ?? EMPTY_CONTENT;
}

function sameContent(a: ContentReference, b: ContentReference): boolean {
  return a.level === b.level && a.records.equals(b.records);
}

async function compare(source: ChunkSource, { path, before, after }: Pair): Promise<Change | undefined> {
  const bytes = await changedBytes(source, fileContent(before), fileContent(after));
  if (before === undefined || after === undefined) {
    return after === undefined
      ? { path, change: 'removed', what: [], ...(before && { before }), ...bytes }
      : { path, change: 'added', what: [], after, ...bytes };
  }
  if (before.kind !== after.kind) return { path, change: 'type', what: [], before, after, ...bytes };
  const what = changedParts(before, after);
  return what.length === 0 ? undefined : { path, change: 'modified', what, before, after, ...bytes };
}

function changedParts(before: TreeEntry, after: TreeEntry): ChangedPart[] {
  const differs: Readonly<Record<ChangedPart, boolean>> = {
    content:
      !sameContent(fileContent(before), fileContent(after)) ||
      before.size !== after.size ||
      !sameNumbers(before.holes?.flat(), after.holes?.flat()),
    target: before.target !== after.target,
    device: !sameNumbers(before.device, after.device),
    mode: before.mode !== after.mode,
    owner:
      before.uid !== after.uid ||
      before.gid !== after.gid ||
      before.user !== after.user ||
      before.group !== after.group,
    mtime: before.mtimeNs !== after.mtimeNs,
    xattrs: !sameXattrs(before.xattrs ?? [], after.xattrs ?? []),
    flags: before.flags !== after.flags,
  };
  return CHANGED_PARTS.filter((part) => differs[part]);
}

function sameNumbers(a: readonly number[] | null | undefined, b: readonly number[] | null | undefined): boolean {
  return (a ?? []).length === (b ?? []).length && (a ?? []).every((value, i) => value === b?.[i]);
}

function sameXattrs(a: NonNullable<TreeEntry['xattrs']>, b: NonNullable<TreeEntry['xattrs']>): boolean {
  return (
    a.length === b.length &&
    a.every(([name, value], i) => name === b[i]?.[0] && Buffer.compare(value, b[i]?.[1] ?? new Uint8Array()) === 0)
  );
}

/** Bytes of each content that are in no chunk of the other. */
async function changedBytes(
  source: ChunkSource,
  before: ContentReference,
  after: ContentReference,
): Promise<Pick<Change, 'addedBytes' | 'removedBytes'>> {
  if (sameContent(before, after)) return { addedBytes: 0, removedBytes: 0 };
  if (before.length === 0 || after.length === 0) return { addedBytes: after.length, removedBytes: before.length };
  return {
    addedBytes: await bytesWithout(source, after, await idsOf(source, before)),
    removedBytes: await bytesWithout(source, before, await idsOf(source, after)),
  };
}

async function idsOf(source: ChunkSource, content: ContentReference): Promise<IdSet> {
  const ids = new IdSet();
  for await (const { id } of leafRecords(source, content)) ids.add(id);
  return ids;
}

async function bytesWithout(source: ChunkSource, content: ContentReference, known: IdSet): Promise<number> {
  let bytes = 0;
  for await (const { id, length } of leafRecords(source, content)) if (!known.has(id)) bytes += length;
  return bytes;
}
