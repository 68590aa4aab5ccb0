import type { Capabilities } from '../crypto/capabilities.ts';
import { CHUNK_TYPE, ChunkIds, ChunkSealer, startSession, type ChunkType } from '../crypto/chunk-crypto.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import { invariant } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';
import { systemEnvironment } from '../host/environment.ts';
import { toHex } from '../ids.ts';
import { encodeSegment, type PackListing } from '../index/segment.ts';
import { CHUNKER_DATA, CHUNKER_TREE } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import { PackBuilder } from '../pack/builder.ts';
import { PACK_KIND, type PackKind } from '../pack/layout.ts';
import type { ClientState, SeenHead } from '../ports/client-state.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { RepositoryAccess } from '../repository/access.ts';
import { createRepository } from '../repository/create.ts';
import { MemoryStore, type MemoryObject } from '../stores/memory.ts';
import { ContentBuilder, type ContentReference } from '../tree/content.ts';
import { ENTRY_KIND, EntryEncoder, type TreeEntry } from '../tree/entry.ts';
import { loadZstd } from '../zstd/load.ts';

/**
 * What is to stand in a tree: an entry, its bytes when a file, its children when a directory. What the entry says wins, so it
 * may be one that no honest writer makes.
 */
export interface ArchiveNode {
  readonly entry: Partial<TreeEntry> & Pick<TreeEntry, 'name' | 'kind'>;
  /** Pieces of content, each a chunk. Their sum and the holes of the entry are its size. */
  readonly pieces?: readonly Uint8Array[];
  readonly children?: readonly ArchiveNode[];
}

type Extra = Partial<TreeEntry>;

export function fileNode(name: ByteString, content: string | readonly Uint8Array[], extra: Extra = {}): ArchiveNode {
  const pieces = typeof content === 'string' ? (content === '' ? [] : [Buffer.from(content)]) : content;
  return { entry: { name, kind: ENTRY_KIND.file, mode: 0o644, ...extra }, pieces };
}

export function directoryNode(name: ByteString, children: readonly ArchiveNode[], extra: Extra = {}): ArchiveNode {
  return { entry: { name, kind: ENTRY_KIND.directory, mode: 0o755, ...extra }, children };
}

export function symlinkNode(name: ByteString, target: ByteString, extra: Extra = {}): ArchiveNode {
  return { entry: { name, kind: ENTRY_KIND.symlink, mode: 0o777, target, ...extra } };
}

/** A client's memory of heads that lasts as long as the object. */
export function memoryClientState(): ClientState {
  const heads = new Map<string, SeenHead>();
  return {
    readHead: (repository) => Promise.resolve(heads.get(repository)),
    writeHead: (repository, head) => {
      heads.set(repository, head);
      return Promise.resolve();
    },
  };
}

/** Directory streams are cut at this many bytes, so that small trees have several chunks. */
const TREE_PIECE_BYTES = 4096;

/**
 * Writes archives entry by entry, without a source and without most checks: for tests of what reads them. One `commit` makes
 * one archive; its data chunks lie in packs of their own.
 */
export class ArchiveBuilder {
  readonly store: ObjectStore;
  readonly keys: Capabilities;
  private readonly encoder = new EntryEncoder();
  private readonly listings: PackListing[] = [];
  private readonly stored = new Set<string>();
  private pending: Promise<void>[] = [];

  private constructor(store: ObjectStore, keys: Capabilities) {
    this.store = store;
    this.keys = keys;
  }

  /** A new repository in `store`, or in memory over `objects`. */
  static async create(
    options: { readonly store?: ObjectStore; readonly objects?: Map<string, MemoryObject> } = {},
  ): Promise<ArchiveBuilder> {
    const store = options.store ?? new MemoryStore(systemEnvironment.clock, options.objects);
    return new ArchiveBuilder(store, await createRepository(store, nodeSuite, systemEnvironment));
  }

  /** Another writer to the same repository, who does not know what is stored already. */
  secondWriter(): ArchiveBuilder {
    return new ArchiveBuilder(this.store, this.keys);
  }

  /** Opens the repository, or `store` in its place, as a verb would. */
  access(store: ObjectStore = this.store, keys: Capabilities = this.keys): Promise<RepositoryAccess> {
    const clientState = memoryClientState();
    return RepositoryAccess.open({ store, keys, suite: nodeSuite, environment: systemEnvironment, clientState });
  }

  /**
   * Stores a tree whose root has these children, and commits it.
   * @param packBytes data packs are closed at this size.
   */
  async commit(
    children: readonly ArchiveNode[],
    options: { readonly packBytes?: number; readonly root?: Extra } = {},
  ): Promise<ArchiveRecord> {
    const { packBytes = 256 * 1024 } = options;
    const { loc, repo } = this.keys;
    invariant(loc !== undefined, 'the keys of a new repository are complete');
    const random = systemEnvironment.random;
    const session = startSession(nodeSuite, random, this.keys);
    const sealer = new ChunkSealer(nodeSuite, random, await loadZstd(), 3, repo, session);
    const ids = new ChunkIds(nodeSuite, this.keys);
    const newPack = (kind: PackKind): PackBuilder => new PackBuilder(nodeSuite, random, { repo, loc }, kind, session);
    const packs = { data: newPack(PACK_KIND.data), tree: newPack(PACK_KIND.tree) };
    const sizes = { data: 0, tree: 0 };
    const close = (which: 'data' | 'tree', last: boolean): void => {
      if (packs[which].empty) return;
      const pack = packs[which].finish(last);
      sizes[which] = 0;
      this.listings.push({ ...pack, sizeBytes: pack.object.length });
      this.pending.push(this.store.put({ kind: 'packs', name: pack.name }, pack.object));
    };
    const storeChunk = (type: ChunkType, plaintext: Uint8Array): Uint8Array => {
      const id = ids.idOf(type, plaintext);
      if (this.stored.has(toHex(id))) return id;
      this.stored.add(toHex(id));
      const which = type === CHUNK_TYPE.data ? 'data' : 'tree';
      sealer.seal(type, id, plaintext, (bytes) => {
        sizes[which] += bytes;
        return packs[which].reserve(type, id, plaintext.length, bytes);
      });
      if (sizes[which] >= packBytes) close(which, false);
      return id;
    };
    const root = this.encode(storeChunk, directoryNode('', children, options.root ?? {}));
    close('data', true);
    close('tree', true);
    return await this.seal(root);
  }

  private encode(store: (type: ChunkType, plaintext: Uint8Array) => Uint8Array, node: ArchiveNode): Buffer {
    const { kind } = node.entry;
    let content: ContentReference | null = null;
    if (kind === ENTRY_KIND.file) content = contentOf(store, CHUNK_TYPE.data, node.pieces ?? []);
    if (kind === ENTRY_KIND.directory) content = this.encodeChildren(store, node.children ?? []);
    const holes = (node.entry.holes ?? []).reduce((sum, [, length]) => sum + length, 0);
    const size = kind === ENTRY_KIND.file ? (content?.length ?? 0) + holes : 0;
    return this.encoder.encode({ ...BLANK, size, content, ...node.entry });
  }

  private encodeChildren(
    store: (type: ChunkType, plaintext: Uint8Array) => Uint8Array,
    children: readonly ArchiveNode[],
  ): ContentReference {
    const parts: Buffer[] = [];
    for (const child of [...children].sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1))) {
      const bytes = this.encode(store, child);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      parts.push(length, bytes);
    }
    const stream = Buffer.concat(parts);
    const pieces: Buffer[] = [];
    for (let at = 0; at < stream.length; at += TREE_PIECE_BYTES) {
      pieces.push(stream.subarray(at, at + TREE_PIECE_BYTES));
    }
    return contentOf(store, CHUNK_TYPE.tree, pieces);
  }

  private async seal(root: Buffer): Promise<ArchiveRecord> {
    await Promise.all(this.pending);
    this.pending = [];
    const { loc, repo } = this.keys;
    invariant(loc !== undefined, 'the keys of a new repository are complete');
    const random = systemEnvironment.random;
    const segment = encodeSegment(nodeSuite, random, { repo, loc }, this.listings.splice(0));
    const name = toHex(nodeSuite.sha256(segment));
    await this.store.put({ kind: 'index', name }, segment);
    const access = await this.access();
    const id = random.bytes(16);
    const descriptor = { ...BLANK_DESCRIPTOR, id, root };
    const commit = { kind: 'COMMIT', archive: toHex(id), base: null, segments: [name], descriptor } as const;
    await access.log.append(() => ({ ...commit, rescuedPacks: [], rescuedSegments: [] }));
    const record = access.log.state.archives.get(toHex(id));
    invariant(record !== undefined, 'the archive was committed just now');
    return record;
  }
}

function contentOf(
  store: (type: ChunkType, plaintext: Uint8Array) => Uint8Array,
  type: ChunkType,
  pieces: readonly Uint8Array[],
): ContentReference {
  const content = new ContentBuilder(store);
  for (const piece of pieces) content.add(store(type, piece), piece.length);
  return content.finish();
}

/** 2026-11-21T08:00:00.123456789Z */
const SOME_TIME_NS = 1_795_248_000_123_456_789n;

const BLANK: TreeEntry = {
  name: '',
  kind: ENTRY_KIND.file,
  mode: 0o644,
  // Whoever restores it may give it to himself.
  uid: process.geteuid?.() ?? 0,
  gid: process.getegid?.() ?? 0,
  mtimeNs: SOME_TIME_NS,
  ctimeNs: SOME_TIME_NS,
  size: 0,
  inode: 0n,
  user: null,
  group: null,
  link: null,
  device: null,
  target: null,
  xattrs: null,
  flags: null,
  holes: null,
  content: null,
  state: 0,
};

const BLANK_DESCRIPTOR = {
  series: 'test',
  name: 'test-2026-11-21T08-00-00Z',
  host: 'host',
  user: 'user',
  startNs: SOME_TIME_NS,
  endNs: SOME_TIME_NS,
  paths: [Buffer.from('/')],
  stats: { files: 0, directories: 0, others: 0, bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0 },
  warnings: [],
  chunkerData: CHUNKER_DATA,
  chunkerTree: CHUNKER_TREE,
  parent: null,
  complete: true,
  program: 'test',
  tags: [],
  comment: '',
} as const;
