// @ts-check
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { startSession, CHUNK_TYPE, ChunkIds, ChunkSealer } from '../packages/core/dist/crypto/chunk-crypto.js';
import {
  DirectoryStore,
  encodeKeyFileText,
  nodeSuite,
  Repository,
  systemEnvironment,
} from '../packages/core/dist/index.js';
import { encodeSegment, listingBytes } from '../packages/core/dist/index/segment.js';
import { PackBuilder } from '../packages/core/dist/pack/builder.js';
import { ENTRY_KIND, EntryEncoder } from '../packages/core/dist/tree/entry.js';
import { loadZstd } from '../packages/core/dist/zstd/load.js';

/** @typedef {import('../packages/core/dist/index/segment.js').PackListing} PackListing */

/** Sealed bytes of a synthetic data chunk: as few as the format allows, for nothing reads them. */
const chunkBytes = 34;
const treePieceBytes = 60_000;
const filesInDirectory = 400;
const segmentBytes = 4 * 1024 * 1024;

/**
 * Makes a repository with so many chunks of data in two archives, of which the older one is deleted: a quarter of the packs is
 * then dead, a half is half dead, and a quarter is live. Packs, headers, index and trees are real; what the data chunks hold
 * is not, so it can be compacted and checked, and not restored. Bytes go to files without being made durable one by one.
 * @param {string} directory made for the repository and `maintain.key`
 * @param {{ chunks: number, inPack: number, inFile: number }} sizes
 */
export async function makeManyChunks(directory, { chunks, inPack, inFile }) {
  mkdirSync(directory, { recursive: true });
  const repositoryPath = path.join(directory, 'repository');
  const { repository, keys } = await Repository.create(await DirectoryStore.create(repositoryPath));
  writeFileSync(
    path.join(directory, 'root.key'),
    encodeKeyFileText(nodeSuite, keys, { createdNs: systemEnvironment.clock.nowNs(), label: 'bench' }),
    { mode: 0o600 },
  );
  const { loc, repo } = keys;
  if (loc === undefined) throw new Error('the keys of a new repository are complete');
  const { random } = systemEnvironment;
  const session = startSession(nodeSuite, random, keys);
  const packKeys = { repo, loc };
  /** @type {PackListing[]} */
  let listings = [];
  /** @type {string[]} */
  const segments = [];

  /** @param {'packs' | 'index'} kind @param {string} name @param {Uint8Array} object */
  const put = (kind, name, object) => {
    const folder = path.join(repositoryPath, kind, ...(kind === 'packs' ? [name.slice(0, 2)] : []));
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, name), object);
  };
  const putSegment = () => {
    if (listings.length === 0) return;
    const object = encodeSegment(nodeSuite, random, packKeys, listings);
    const name = Buffer.from(nodeSuite.sha256(object)).toString('hex');
    put('index', name, object);
    segments.push(name);
    listings = [];
  };
  /** @param {PackBuilder} builder */
  const putPack = (builder) => {
    const { name, object, kind, sessions, records, dataStart } = builder.finish(false);
    put('packs', name, object);
    listings.push({ name, sizeBytes: object.length, kind, sessions, records: Buffer.from(records), dataStart });
    builder.recycle(/** @type {ArrayBuffer} */ (object.buffer));
    if (listings.reduce((sum, listing) => sum + listingBytes(listing), 0) >= segmentBytes) putSegment();
  };

  const trees = new PackBuilder(nodeSuite, random, packKeys, 2, session);
  const sealer = new ChunkSealer(nodeSuite, random, await loadZstd(), 3, repo, session);
  const ids = new ChunkIds(nodeSuite, keys);
  /** @type {Set<string>} */
  const storedTrees = new Set();
  /** @param {Buffer} plaintext */
  const storeTree = (plaintext) => {
    const id = ids.idOf(CHUNK_TYPE.tree, plaintext);
    const key = Buffer.from(id).toString('latin1');
    if (storedTrees.has(key)) return id;
    storedTrees.add(key);
    sealer.seal(CHUNK_TYPE.tree, id, plaintext, (bytes) => trees.reserve(CHUNK_TYPE.tree, id, plaintext.length, bytes));
    if (trees.full) putPack(trees);
    return id;
  };

  const builder = new PackBuilder(nodeSuite, random, packKeys, 1, session);
  const all = new Directories(storeTree, inFile);
  const kept = new Directories(storeTree, inFile);
  for (let number = 0; number < chunks; number++) {
    const id = random.bytes(32);
    builder.reserve(CHUNK_TYPE.data, id, 1, chunkBytes).fill(0);
    const pack = Math.floor(number / inPack) % 4;
    all.add(id);
    if (pack === 0 || (pack !== 1 && number % 2 === 0)) kept.add(id);
    if ((number + 1) % inPack === 0) putPack(builder);
  }
  if (!builder.empty) putPack(builder);
  const roots = [all.finish(), kept.finish()];
  if (!trees.empty) putPack(trees);
  putSegment();
  for (const [number, root] of roots.entries()) {
    const id = random.bytes(16);
    await repository.access.log.append(() => ({
      kind: 'COMMIT',
      archive: Buffer.from(id).toString('hex'),
      base: null,
      segments: number === 0 ? segments : [],
      rescuedPacks: [],
      rescuedSegments: [],
      descriptor: { ...descriptor(number), id, root },
    }));
  }
  await repository.delete(await repository.planDelete(['bench-0']));
}

/** Directories of files, each with the chunks that it is given. */
class Directories {
  /** @param {(plaintext: Buffer) => Uint8Array} store @param {number} inFile */
  constructor(store, inFile) {
    this.store = store;
    this.inFile = inFile;
    this.encoder = new EntryEncoder();
    /** @type {Buffer[]} */
    this.records = [];
    /** @type {Buffer[]} */
    this.files = [];
    /** @type {Buffer[]} */
    this.directories = [];
  }

  /** @param {Uint8Array} id of a chunk of one byte */
  add(id) {
    this.records.push(record(id, 1));
    if (this.records.length === this.inFile) this.closeFile();
  }

  finish() {
    this.closeFile();
    this.closeDirectory();
    return this.encoder.encode(entry('', ENTRY_KIND.directory, 0, this.content(this.directories)));
  }

  closeFile() {
    if (this.records.length === 0) return;
    const length = this.records.length;
    const content = { level: 0, records: Buffer.concat(this.records), length };
    this.files.push(this.encoder.encode(entry(nameOf(this.files.length), ENTRY_KIND.file, length, content)));
    this.records = [];
    if (this.files.length === filesInDirectory) this.closeDirectory();
  }

  closeDirectory() {
    if (this.files.length === 0) return;
    const content = this.content(this.files);
    this.directories.push(
      this.encoder.encode(entry(nameOf(this.directories.length), ENTRY_KIND.directory, 0, content)),
    );
    this.files = [];
  }

  /** @param {readonly Buffer[]} entries */
  content(entries) {
    const stream = Buffer.concat(entries.flatMap((bytes) => [lengthOf(bytes), bytes]));
    const pieces = [];
    // Few enough for an entry to hold them all.
    const size = Math.max(treePieceBytes, Math.ceil(stream.length / 60));
    for (let at = 0; at < stream.length; at += size) {
      const piece = stream.subarray(at, at + size);
      pieces.push(record(this.store(piece), piece.length));
    }
    return { level: 0, records: Buffer.concat(pieces), length: stream.length };
  }
}

/** @param {Buffer} bytes */
function lengthOf(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}

/** @param {Uint8Array} id @param {number} length */
function record(id, length) {
  const bytes = Buffer.alloc(40);
  bytes.set(id);
  bytes.writeBigUInt64LE(BigInt(length), 32);
  return bytes;
}

/** @param {number} number */
function nameOf(number) {
  return String(number).padStart(8, '0');
}

/**
 * @param {string} name
 * @param {1 | 2} kind
 * @param {number} size
 * @param {import('../packages/core/dist/tree/content.js').ContentReference} content
 * @returns {import('../packages/core/dist/index.js').TreeEntry}
 */
function entry(name, kind, size, content) {
  const status = { name, kind, mode: 0o755, uid: 0, gid: 0, mtimeNs: 0n, ctimeNs: 0n, size, inode: 0n };
  const detail = { link: null, device: null, target: null, xattrs: null, flags: null, holes: null, content, state: 0 };
  return { ...status, user: null, group: null, ...detail };
}

/** @param {number} number @returns {import('../packages/core/dist/index.js').ArchiveDescriptor} */
function descriptor(number) {
  const nothing = {
    files: 0,
    directories: 0,
    others: 0,
    bytes: 0,
    newBytes: 0,
    storedBytes: 0,
    chunks: 0,
    newChunks: 0,
  };
  const chunker = { min: 1024, average: 1024, max: 1024 };
  return {
    id: Buffer.alloc(16),
    series: 'bench',
    name: `bench-${number}`,
    host: 'bench',
    user: '',
    startNs: 0n,
    endNs: 0n,
    paths: [Buffer.from('/')],
    root: Buffer.alloc(0),
    stats: nothing,
    warnings: [],
    chunkerData: chunker,
    chunkerTree: chunker,
    parent: null,
    complete: true,
    program: 'bench',
    tags: [],
    comment: '',
  };
}
