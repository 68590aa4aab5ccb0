import { makeCutter, type Cutter } from '../chunker/cutter.ts';
import {
  CHUNK_TYPE,
  ChunkIds,
  ChunkSealer,
  chunkClass,
  type ChunkType,
  type OpenedChunk,
} from '../crypto/chunk-crypto.ts';
import { CairnError, invariant } from '../errors.ts';
import { closeFd, readAt, statFd, xattrsOfFd, type FileStatus } from '../host/at-calls.ts';
import { findHoles } from '../host/file-holes.ts';
import { getInodeFlags } from '../host/inode-flags.ts';
import { Claims } from '../index/claims.ts';
import { IndexLookup } from '../index/index-lookup.ts';
import { PackBuilder, type BuiltPack } from '../pack/builder.ts';
import { PACK_KIND } from '../pack/layout.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';
import type { Zstd } from '../ports/zstd.ts';
import { CONTENT_RECORD_BYTES } from '../tree/content.ts';
import { ENTRY_KIND } from '../tree/entry.ts';
import { ContentBytes } from './content-bytes.ts';
import {
  unpackFiles,
  type ContentCounts,
  type FileDetail,
  type FileTask,
  type Job,
  type JobResult,
  type PackedContents,
  type ProcessorSetup,
  type SealedChunks,
  type SeenStatus,
} from './messages.ts';
import { OpenAhead } from './open-ahead.ts';
import { SealedOpener } from './sealed-opener.ts';
import { REPLACED, troubleOf } from './source-errors.ts';

/** Bytes of content that are cut at once; a chunk of the greatest length must fit. */
export const WINDOW_BYTES = 9 * 1024 * 1024;

/** Where packs go. */
export interface PackSink {
  /** Resolves when there is room for another pack on its way to the store. Asked before a pack is built. */
  ready(): Promise<void>;
  /** Takes a pack. `recycle` is to be called with its memory, or what replaced it, once it is stored. */
  take(pack: BuiltPack, recycle: (memory: ArrayBuffer) => void): Promise<void>;
  /** Resolves when everything that was taken is stored. */
  drained(): Promise<void>;
  /** Called after every few megabytes of sealing, each of which left as much garbage. */
  relieve(): void;
}

/** Bytes of sealed chunks between two calls of `relieve`. */
const RELIEF_BYTES = 4 * 1024 * 1024;

/** The CPU part of a backup: reads, cuts, identifies, compresses, seals and packs. The same in the main thread and in workers. */
export class ContentProcessor {
  private readonly setup: ProcessorSetup;
  private readonly sink: PackSink;
  private readonly ids: ChunkIds;
  private readonly sealer: ChunkSealer;
  private readonly index: IndexLookup;
  private readonly claims: Claims;
  private readonly stop: Int32Array;
  private readonly packs: { readonly data: PackBuilder; readonly meta: PackBuilder };
  private readonly small: Buffer;
  private relieveAt = RELIEF_BYTES;
  private cutter: Cutter | undefined;
  private opener: SealedOpener | undefined;
  private readonly suite: CryptoSuite;
  private readonly zstd: Zstd;
  private readonly totals = { newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0 };

  constructor(setup: ProcessorSetup, suite: CryptoSuite, random: Random, zstd: Zstd, sink: PackSink) {
    const { keys, session } = setup;
    const { loc, repo } = keys;
    invariant(loc !== undefined, 'the caller checked that the key may write');
    this.setup = setup;
    this.suite = suite;
    this.zstd = zstd;
    this.sink = sink;
    this.ids = new ChunkIds(suite, keys);
    this.sealer = new ChunkSealer(suite, random, zstd, setup.compressionLevel, repo, session);
    this.index = new IndexLookup(setup.index);
    this.claims = new Claims(setup.claims);
    this.stop = new Int32Array(setup.stop);
    const builder = (kind: 1 | 2): PackBuilder =>
      new PackBuilder(suite, random, { repo, loc }, kind, { sid: session.sid, epk: session.epk });
    this.packs = { data: builder(PACK_KIND.data), meta: builder(PACK_KIND.tree) };
    this.small = Buffer.allocUnsafeSlow(setup.chunkerData.min);
  }

  async run(job: Job): Promise<JobResult> {
    switch (job.kind) {
      case 'files':
        return { kind: 'files', contents: await this.files(unpackFiles(job.files)) };
      case 'cut':
        return { kind: 'cut', lengths: this.cut(job) };
      case 'store':
        return { kind: 'store', records: await this.storeRanges(job) };
      case 'chunks':
        return { kind: 'store', records: await this.storeChunks(job) };
      case 'sealed':
        return { kind: 'store', records: await this.storeSealed(job) };
    }
  }

  /**
   * Stores a chunk unless a pack has it or another thread took it on; returns its id. Does not finish packs.
   * @param packed its payload, when it need not be compressed anew.
   */
  store(type: ChunkType, plaintext: Uint8Array, packed?: Omit<OpenedChunk, 'plaintext'>): Uint8Array {
    const id = this.ids.idOf(type, plaintext);
    this.totals.chunks += 1;
    if (this.index.use(id) || !this.claims.claim(id)) return id;
    const builder = this.packs[chunkClass(type)];
    const reserve = (bytes: number): Uint8Array => {
      this.totals.storedBytes += bytes;
      return builder.reserve(type, id, plaintext.length, bytes);
    };
    this.sealer.seal(type, id, plaintext, reserve, packed);
    this.totals.newChunks += 1;
    this.totals.newBytes += plaintext.length;
    if (this.totals.storedBytes >= this.relieveAt) {
      this.relieveAt = this.totals.storedBytes + RELIEF_BYTES;
      this.sink.relieve();
    }
    return id;
  }

  /** To be called wherever a job holds nothing that would be left behind. */
  private assertGoing(): void {
    if (Atomics.load(this.stop, 0) !== 0) throw stopped();
  }

  /** What this processor has done since its start. */
  get counts(): ContentCounts {
    return { ...this.totals };
  }

  /** Hands on every pack that is full. */
  async passFullPacks(): Promise<void> {
    for (const builder of [this.packs.data, this.packs.meta]) {
      if (builder.full) await this.pass(builder, false);
    }
  }

  /** Hands on what is left, padded. Resolves when all that was handed on is stored. */
  async flush(): Promise<void> {
    for (const builder of [this.packs.data, this.packs.meta]) {
      if (!builder.empty) await this.pass(builder, true);
    }
    await this.sink.drained();
  }

  private async pass(builder: PackBuilder, last: boolean): Promise<void> {
    await this.sink.ready();
    // Somebody else may have passed it on meanwhile.
    if (last ? builder.empty : !builder.full) return;
    await this.sink.take(builder.finish(last), (memory) => builder.recycle(memory));
  }

  private async files(tasks: readonly FileTask[]): Promise<PackedContents> {
    const counts = new Uint32Array(tasks.length);
    const records: Uint8Array[] = [];
    const details: (readonly [number, FileDetail])[] = [];
    const ahead = new OpenAhead(tasks);
    try {
      for (const [i, task] of tasks.entries()) {
        const before = records.length;
        const detail = await this.file(() => ahead.take(i), task.status, records);
        if (detail !== undefined) details.push([i, detail]);
        if (detail?.ok === false) records.length = before;
        counts[i] = records.length - before;
        if (this.packs.data.full) await this.passFullPacks();
      }
    } finally {
      ahead.close();
    }
    return { counts, records: Buffer.concat(records), details };
  }

  /** Stores a file's content; undefined when there is nothing to say besides. */
  private async file(open: () => number, seen: SeenStatus, records: Uint8Array[]): Promise<FileDetail | undefined> {
    this.assertGoing();
    let fd: number | undefined;
    try {
      fd = open();
      const small = this.smallFile(fd, seen, records);
      return small === null ? await this.openFile(fd, seen, records) : small;
    } catch (error) {
      // Only what the file system says about this file is its result; anything else stops the run.
      const trouble = troubleOf(error);
      if (trouble === undefined) throw error;
      return { ok: false, trouble };
    } finally {
      if (fd !== undefined) closeFd(fd);
    }
  }

  /**
   * The common case in as few calls as can be: a file of one chunk that is as the walk saw it after it was read. Null when it
   * is not so.
   */
  private smallFile(fd: number, seen: SeenStatus, records: Uint8Array[]): FileDetail | undefined | null {
    if (seen.size > this.small.length) return null;
    const got = seen.size === 0 ? 0 : readAt(fd, this.small.subarray(0, seen.size), 0);
    const after = statFd(fd);
    const asSeen = got === seen.size && sameFile(after, seen) && sameContent(after, seen);
    if (!asSeen || after.kind !== ENTRY_KIND.file || after.blocks * 512 < after.size) return null;
    if (got > 0) records.push(contentRecord(this.store(CHUNK_TYPE.data, this.small.subarray(0, got)), got));
    const xattrs = xattrsOfFd(fd);
    const flags = getInodeFlags(fd) || null;
    if (xattrs === null && flags === null) return undefined;
    return { ok: true, holes: null, xattrs, flags, changed: false };
  }

  private async openFile(fd: number, seen: SeenStatus, records: Uint8Array[]): Promise<FileDetail> {
    const before = statFd(fd);
    if (before.kind !== ENTRY_KIND.file) return { ok: false, trouble: REPLACED };
    const holes = holesOf(fd, before);
    const content = new ContentBytes(fd, before.size, holes);
    const stored = await this.cutAndStore(content, records);
    const changed = stored !== content.length || !sameContent(before, statFd(fd));
    const kept = stored === content.length ? holes : holesWithin(holes, stored);
    const size = stored + holesLength(kept);
    const asSeen = !changed && sameFile(before, seen) && sameContent(before, seen);
    const status = asSeen ? undefined : { ...before, size };
    return {
      ok: true,
      holes: kept.length === 0 ? null : kept,
      xattrs: xattrsOfFd(fd),
      flags: getInodeFlags(fd) || null,
      ...(status === undefined ? {} : { status }),
      changed,
    };
  }

  /** Cuts and stores a content; returns how many bytes there were: fewer than its length when the file shrank. */
  private async cutAndStore(content: ContentBytes, records: Uint8Array[]): Promise<number> {
    let position = 0;
    while (position < content.length) {
      const { ends, atEnd } = this.cutWindow(content, position, content.length);
      let start = 0;
      for (const end of ends) {
        this.assertGoing();
        const bytes = this.cutterOf().window().subarray(start, end);
        records.push(contentRecord(this.store(CHUNK_TYPE.data, bytes), bytes.length));
        start = end;
        await this.passFullPacks();
      }
      position += start;
      if (atEnd) break;
    }
    return position;
  }

  /** Reads a window and cuts it; the last piece is left for the next window unless the content ends there. */
  private cutWindow(content: ContentBytes, position: number, end: number): { ends: number[]; atEnd: boolean } {
    this.assertGoing();
    const cutter = this.cutterOf();
    const window = cutter.window();
    const wanted = Math.min(window.length, end - position);
    const got = content.read(window.subarray(0, wanted), position);
    const atEnd = got < wanted || position + got >= content.length;
    const ends = cutter.cut(got);
    if (!atEnd && ends.length > 1) ends.pop();
    return { ends, atEnd };
  }

  private cutterOf(): Cutter {
    this.cutter ??= makeCutter(this.setup.gearTable, this.setup.chunkerData, WINDOW_BYTES);
    return this.cutter;
  }

  private cut(job: Extract<Job, { kind: 'cut' }>): number[] {
    const content = new ContentBytes(job.fd, job.end + holesLength(job.holes), job.holes);
    const lengths: number[] = [];
    let position = job.position;
    while (position < job.end && position - job.position < job.budget) {
      const { ends, atEnd } = this.cutWindow(content, position, job.end);
      let start = 0;
      for (const end of ends) {
        lengths.push(end - start);
        start = end;
      }
      position += start;
      if (atEnd) break;
    }
    // What the next job cuts is on its way from the disk while these chunks are stored.
    content.readAhead(position, job.budget);
    return lengths;
  }

  private async storeRanges(job: Extract<Job, { kind: 'store' }>): Promise<Uint8Array> {
    const end = job.ranges.reduce((most, range) => Math.max(most, range.position + range.length), 0);
    const content = new ContentBytes(job.fd, end + holesLength(job.holes), job.holes);
    const records: Buffer[] = [];
    for (const { position, length } of job.ranges) {
      this.assertGoing();
      const target = this.cutterOf().window().subarray(0, length);
      const bytes = target.subarray(0, content.read(target, position));
      if (bytes.length > 0) records.push(contentRecord(this.store(CHUNK_TYPE.data, bytes), bytes.length));
      await this.passFullPacks();
      if (bytes.length < length) break;
    }
    return Buffer.concat(records);
  }

  private async storeChunks({ bytes, lengths }: Extract<Job, { kind: 'chunks' }>): Promise<Uint8Array> {
    const records: Buffer[] = [];
    let start = 0;
    for (const length of lengths) {
      this.assertGoing();
      const chunk = bytes.subarray(start, start + length);
      records.push(contentRecord(this.store(CHUNK_TYPE.data, chunk), length));
      start += length;
      await this.passFullPacks();
    }
    return Buffer.concat(records);
  }

  private async storeSealed(job: SealedChunks): Promise<Uint8Array> {
    const { source } = this.setup;
    invariant(source !== undefined, 'only a run that takes over chunks is given some');
    this.opener ??= new SealedOpener(this.suite, this.zstd, source);
    const records = Buffer.alloc(CONTENT_RECORD_BYTES * (job.ids.length / 32));
    for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
      this.assertGoing();
      const opened = this.opener.open(job, at / CONTENT_RECORD_BYTES);
      if (opened === undefined) continue;
      const { plaintext, packed } = opened;
      records.set(contentRecord(this.store(CHUNK_TYPE.data, plaintext, packed), plaintext.length), at);
      if (this.opener.hasGarbage()) this.sink.relieve();
      await this.passFullPacks();
    }
    return records;
  }
}

/** What a job rejects with that ended because the run did. */
export function stopped(): CairnError {
  return new CairnError('CANCELLED', 'the backup was stopped');
}

function contentRecord(id: Uint8Array, length: number): Buffer {
  const record = Buffer.allocUnsafe(CONTENT_RECORD_BYTES);
  record.set(id);
  record.writeBigUInt64LE(BigInt(length), 32);
  return record;
}

export function holesLength(holes: readonly (readonly [number, number])[]): number {
  return holes.reduce((sum, [, length]) => sum + length, 0);
}

/** Holes of an open file; asks the kernel only when fewer blocks are allocated than the size needs. */
export function holesOf(fd: number, status: FileStatus): (readonly [number, number])[] {
  if (status.blocks * 512 >= status.size) return [];
  return findHoles(fd, status.size).map(({ offset, length }) => [offset, length] as const);
}

/** The holes that lie within the first `stored` bytes of content. */
export function holesWithin(
  holes: readonly (readonly [number, number])[],
  stored: number,
): (readonly [number, number])[] {
  let before = 0;
  return holes.filter(([offset, length]) => {
    const content = offset - before;
    before += length;
    return content <= stored;
  });
}

function sameFile(a: Pick<SeenStatus, 'inode' | 'device'>, b: Pick<SeenStatus, 'inode' | 'device'>): boolean {
  return a.inode === b.inode && a.device === b.device;
}

type Times = Pick<SeenStatus, 'size' | 'mtimeNs' | 'ctimeNs'>;
export function sameContent(a: Times, b: Times): boolean {
  return a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
