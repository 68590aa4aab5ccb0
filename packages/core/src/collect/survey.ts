import { ChunkOpener, type ChunkType } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { builderFor, listSegments, readSegments, type StoredSegment } from '../index/load.ts';
import { RECORD_BYTES, type IndexSegment } from '../index/segment.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import type { PackAccess } from '../pack/read-header.ts';
import type { ObjectInfo } from '../ports/object-store.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { LiveSet } from './live-set.ts';
import type { Watch } from './watch.ts';

/** What a segment lists, without saying where anything is. */
export interface SurveyedSegment extends StoredSegment {
  /** Positions in the index of the packs that it lists and that are not swept. */
  readonly packs: Int32Array;
  /** How many records it has for each of them. */
  readonly counts: Uint32Array;
  /** Share of its records that say where a swept pack had something. */
  readonly sweptShare: number;
}

/** What is in the store, as one collector sees it. Gives the chunks of trees to a mark. */
export class Survey implements ChunkSource {
  readonly access: RepositoryAccess;
  readonly index: ChunkIndex;
  readonly live: LiveSet;
  /** Segments that make up the index. */
  readonly segments: readonly SurveyedSegment[];
  /** For each pack of the index, when the store received it; NaN for one that is absent. */
  readonly receivedMs: Float64Array;
  /** Packs that no segment listed. */
  readonly unlisted: readonly ObjectInfo[];
  /** How many segments the log names that are not in the store: then packs may be unlisted that archives need. */
  readonly lostSegments: number;
  /** Segments that a repair noted as lost, and that are in the store: they make up no index. */
  readonly givenUp: readonly StoredSegment[];
  /** Objects that the log has swept and that are in the store: late puts, or what was left of a removal. */
  readonly leftovers: readonly ObjectInfo[];
  private readonly opener: ChunkOpener;
  /** Names of the packs that segments list which turned up later. */
  private readonly later = new Map<string, readonly string[]>();
  private readonly readers: ChunkReader[] = [];
  /** The index, and what turned up since. */
  readonly indexes: ChunkIndex[];
  private readonly contradicted = new Set<number>();

  private constructor(
    access: RepositoryAccess,
    opener: ChunkOpener,
    { index, segments, leftovers, givenUp, lost }: ReadIndex,
    packs: ListedPacks,
  ) {
    this.access = access;
    this.opener = opener;
    this.index = index;
    this.indexes = [index];
    this.live = new LiveSet(index);
    this.segments = segments;
    this.lostSegments = lost;
    this.givenUp = givenUp;
    this.receivedMs = packs.receivedMs;
    this.unlisted = packs.unlisted;
    this.leftovers = [...leftovers, ...packs.leftovers];
    this.readers.push(this.readerOf(index));
    for (const number of packs.contradicted) this.contradicted.add(number);
  }

  /**
   * Reads the index, then lists the packs. Rejects with `RIGHT_MISSING` when the key cannot open trees, `CORRUPT` when a
   * segment is damaged: then nobody can say what is garbage.
   */
  static async take(access: RepositoryAccess, watch: Watch): Promise<Survey> {
    for (const name of ['skM', 'psk', 'idMeta', 'loc'] as const) access.secret(name, 'compact');
    watch.tell('index');
    await access.log.refresh();
    const opener = new ChunkOpener(access.suite, await access.zstd(), access.keys);
    const read = await readIndex(access);
    watch.check();
    return new Survey(access, opener, read, await listPacks(access, read.index, watch.signal));
  }

  /** What reading packs takes. */
  get packAccess(): PackAccess {
    const { store, suite, config } = this.access;
    return { store, suite, keys: { repo: config.repo, loc: this.access.secret('loc', 'compact') } };
  }

  /** Whether that pack of the index is in the store, and all segments say the same of it. */
  isPresent(pack: number): boolean {
    return !Number.isNaN(this.receivedMs[pack]) && !this.contradicted.has(pack);
  }

  /** Bytes of the packs and segments of those names that were in the store. */
  bytesOf(names: ReadonlySet<string>): number {
    let bytes = 0;
    for (const [pack, { name, sizeBytes }] of this.index.packs.entries()) {
      if (names.has(name) && this.isPresent(pack)) bytes += sizeBytes;
    }
    for (const { name, sizeBytes } of [...this.unlisted, ...this.segments, ...this.givenUp]) {
      if (names.has(name)) bytes += sizeBytes;
    }
    return bytes;
  }

  /** Of all segments that were met. */
  get segmentNames(): string[] {
    return [...this.segments.map(({ name }) => name), ...this.later.keys()];
  }

  /** Whether a segment that turned up after the index was read lists the pack. */
  isListedLater(pack: string): boolean {
    return [...this.later.values()].some((packs) => packs.includes(pack));
  }

  /** Names of the packs that a segment lists and that were not swept when it was met; none of one that was not met. */
  packsListedBy(segment: string): readonly string[] {
    const { packs = [] } = this.segments.find(({ name }) => name === segment) ?? {};
    return this.later.get(segment) ?? Array.from(packs, (pack) => this.index.packs[pack]?.name ?? '');
  }

  /** Replays the log, and loads the segments that turned up since. True when there were any. */
  async catchUp(): Promise<boolean> {
    const { access } = this;
    await access.log.refresh();
    const known = new Set(this.segmentNames);
    const fresh = (await listSegments(access)).filter(({ name }) => !known.has(name));
    if (fresh.length === 0) return false;
    const builder = builderFor(access, fresh);
    await readSegments(access, fresh, (segment, { name }) => {
      builder.add(segment);
      this.later.set(
        name,
        segment.packs.map((pack) => pack.name),
      );
    });
    const index = builder.finish();
    this.live.add(index);
    this.indexes.push(index);
    this.readers.push(this.readerOf(index));
    return true;
  }

  async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    for (;;) {
      try {
        return await this.tryReaders(type, id);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        if (!(await this.catchUp())) throw error;
      }
    }
  }

  private async tryReaders(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    let failure: unknown;
    for (const reader of this.readers.toReversed()) {
      try {
        return await reader.chunk(type, id);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** A second index of everything would take too much memory: what is new is loaded by `catchUp`. */
  private readerOf(index: ChunkIndex): ChunkReader {
    const { store, log } = this.access;
    return new ChunkReader({ store, log, reloadIndex: () => Promise.resolve(index) }, this.opener, index);
  }
}

interface ReadIndex {
  readonly index: ChunkIndex;
  readonly segments: readonly SurveyedSegment[];
  readonly leftovers: readonly ObjectInfo[];
  readonly givenUp: readonly StoredSegment[];
  readonly lost: number;
}

/** Reads all segments, again when the log went on and some were not there. */
async function readIndex(access: RepositoryAccess): Promise<ReadIndex> {
  const { log } = access;
  for (;;) {
    const leftovers: ObjectInfo[] = [];
    const givenUp: ObjectInfo[] = [];
    const stored = await listSegments(access, {
      onSwept: (info) => leftovers.push(info),
      onGivenUp: (info) => givenUp.push(info),
    });
    const builder = builderFor(access, stored);
    const segments: SurveyedSegment[] = [];
    await readSegments(access, stored, (segment, of) => segments.push(surveyed(segment, builder.add(segment), of)));
    const read = new Set(segments.map(({ name }) => name));
    const wanted = [...stored.map(({ name }) => name), ...log.state.segments];
    const { seq } = log;
    if (!wanted.every((name) => read.has(name))) await log.refresh();
    // What vanished was swept meanwhile, and there is another in its place; or it is lost.
    const { sweptSegments, damage } = log.state;
    const gone = (name: string): boolean => sweptSegments.has(name) || damage.lostSegments.has(name);
    const lost = wanted.filter((name) => !read.has(name) && !gone(name));
    if (log.seq === seq) return { index: builder.finish(), segments, leftovers, givenUp, lost: new Set(lost).size };
  }
}

function surveyed(segment: IndexSegment, numbers: Int32Array, stored: StoredSegment): SurveyedSegment {
  const counts = new Uint32Array(numbers.length);
  const { records } = segment;
  for (let at = 16; at < records.length; at += RECORD_BYTES) {
    const pack = records.readUInt32LE(at);
    counts[pack] = (counts[pack] as number) + 1;
  }
  const total = records.length / RECORD_BYTES;
  let swept = 0;
  numbers.forEach((number, i) => {
    if (number === -1) swept += counts[i] as number;
  });
  const { name, sizeBytes, receivedMs } = stored;
  return {
    name,
    sizeBytes,
    receivedMs,
    packs: numbers.filter((number) => number !== -1),
    counts: counts.filter((_, i) => numbers[i] !== -1),
    sweptShare: total === 0 ? 1 : swept / total,
  };
}

interface ListedPacks {
  readonly receivedMs: Float64Array;
  readonly contradicted: readonly number[];
  readonly unlisted: readonly ObjectInfo[];
  readonly leftovers: readonly ObjectInfo[];
}

async function listPacks(
  { store, log }: RepositoryAccess,
  index: ChunkIndex,
  signal: AbortSignal | undefined,
): Promise<ListedPacks> {
  const numbers = new Map<string, number>();
  const contradicted: number[] = [];
  for (const [number, { name }] of index.packs.entries()) {
    const other = numbers.get(name);
    if (other !== undefined) contradicted.push(number, other);
    numbers.set(name, number);
  }
  const receivedMs = new Float64Array(index.packs.length).fill(Number.NaN);
  const unlisted: ObjectInfo[] = [];
  const leftovers: ObjectInfo[] = [];
  for await (const info of store.list('packs', signal === undefined ? {} : { signal })) {
    const number = numbers.get(info.name);
    if (log.state.sweptPacks.has(info.name)) leftovers.push(info);
    else if (number === undefined) unlisted.push(info);
    else if (index.packs[number]?.sizeBytes === info.sizeBytes) receivedMs[number] = info.receivedMs;
  }
  return { receivedMs, contradicted, unlisted, leftovers };
}
