import { checkData } from '../check/check-data.ts';
import { isDamage, packAccess, type CheckContext } from '../check/context.ts';
import type { SeenDamage } from '../check/damage-notes.ts';
import { Inventory } from '../check/inventory.ts';
import { headerDigest, segmentDigests } from '../check/listing-digest.ts';
import { readSegments, type ReadSegment } from '../check/segments.ts';
import { ChunkIndex } from '../index/chunk-index.ts';
import type { DamagedPlaces } from '../log/damage.ts';
import { readPackHeader } from '../pack/read-header.ts';
import { throwIfCancelled } from '../stores/contract.ts';

/** Headers read at once: they are small, so this hides the way to a store. */
const HEADER_WIDTH = 16;

/** What is in the store, and what is wrong with it. */
export interface Survey {
  /** Sizes of the packs in the store that the log has not swept. */
  readonly packs: ReadonlyMap<string, number>;
  /** Packs that no segment lists as they are, and that say themselves what they hold. */
  readonly unlisted: readonly string[];
  /** Segments that are missing, cannot be read, or contradict a pack's own header. */
  readonly lostSegments: readonly string[];
  /** Packs that a segment lists and that are not there. */
  readonly absent: readonly string[];
  /** Packs that are damaged, or were noted as such: each must be looked at. Why, as far as known. */
  readonly doubtful: ReadonlyMap<string, string>;
  /** Those of them whose header cannot be read. */
  readonly headerLost: ReadonlySet<string>;
  /** What was seen of packs that were read wholly. */
  readonly seen: ReadonlyMap<string, SeenDamage>;
  /** Every chunk that the readable segments list; what lies in a doubtful or absent pack is there as damaged. */
  readonly index: ChunkIndex;
}

/**
 * Reads the index and the headers of all packs, and compares them.
 * @param threads when given, packs are read wholly, too, on so many worker threads.
 */
export async function takeSurvey(context: CheckContext, threads: number | undefined): Promise<Survey> {
  const { log } = context.access;
  await log.refresh();
  // Segments first: a pack that is listed was durable before, so it is either listed by the store, too, or gone.
  let segments: ReadSegment[] = [];
  const { unreadable } = await readSegments(context, () => {
    segments = [];
    return (read) => void segments.push(read);
  });
  const packs = await listPacks(context);
  const doubtful = new Map<string, string>();
  for (const name of log.state.damage.packs.keys()) if (packs.has(name)) doubtful.set(name, 'it was noted as damaged');
  const digests = await readHeaders(context, packs, doubtful);
  const headerLost = new Set([...packs.keys()].filter((name) => !digests.has(name)));
  const seen = await readWholly(context, threads);
  for (const [name, what] of seen) if (what !== 'none') doubtful.set(name, 'its bytes are not those that were stored');

  const lost = new Set([...unreadable, ...missingSegments(context, segments, unreadable)]);
  const listedRight = new Set<string>();
  const absent = new Set<string>();
  for (const segment of segments) {
    const right = compare(segment, packs, digests, doubtful, absent);
    if (right === undefined) lost.add(segment.name);
    else for (const name of right) listedRight.add(name);
  }
  await log.refresh();
  const { sweptPacks, sweptSegments } = log.state;
  for (const name of sweptPacks) absent.delete(name);
  for (const name of sweptSegments) lost.delete(name);
  const useless = new Map<string, DamagedPlaces>([...doubtful.keys(), ...absent].map((name) => [name, 'all'] as const));
  const readable = segments.filter(({ name }) => !lost.has(name)).map(({ segment }) => segment);
  return {
    packs,
    unlisted: [...digests.keys()].filter((name) => !listedRight.has(name) && !sweptPacks.has(name)),
    lostSegments: [...lost],
    absent: [...absent],
    doubtful,
    headerLost,
    seen,
    index: ChunkIndex.build(readable, sweptPacks, new Set(), useless),
  };
}

/** What the log says has to be there, and is not. */
function missingSegments(
  { access }: CheckContext,
  segments: readonly ReadSegment[],
  unreadable: readonly string[],
): string[] {
  const { segments: wanted, damage } = access.log.state;
  const there = new Set([...segments.map(({ name }) => name), ...unreadable, ...damage.lostSegments]);
  return [...wanted].filter((name) => !there.has(name));
}

async function listPacks({ access, store }: CheckContext): Promise<Map<string, number>> {
  const packs = new Map<string, number>();
  for await (const { name, sizeBytes } of store.list('packs')) {
    if (!access.log.state.sweptPacks.has(name)) packs.set(name, sizeBytes);
  }
  return packs;
}

/** Digests of all headers that can be read. Packs whose header cannot are added to `doubtful`. */
async function readHeaders(
  context: CheckContext,
  packs: ReadonlyMap<string, number>,
  doubtful: Map<string, string>,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const all = [...packs];
  for (let at = 0; at < all.length; at += HEADER_WIDTH) {
    throwIfCancelled(context.signal, 'repair');
    context.progress({ phase: 'headers', done: at, total: all.length });
    const batch = all.slice(at, at + HEADER_WIDTH).map(async ([name, sizeBytes]) => {
      try {
        digests.set(name, headerDigest(await readPackHeader(packAccess(context), name, sizeBytes, undefined)));
      } catch (error) {
        if (!isDamage(error)) throw error;
        doubtful.set(name, error.message);
      }
    });
    await Promise.all(batch);
  }
  context.progress({ phase: 'headers', done: all.length, total: all.length });
  return digests;
}

async function readWholly(
  context: CheckContext,
  threads: number | undefined,
): Promise<ReadonlyMap<string, SeenDamage>> {
  if (threads === undefined) return new Map();
  const inventory = await Inventory.take(context);
  const onRead = (): Promise<void> => Promise.resolve();
  const { seen } = await checkData(context, inventory, [...inventory.packs.keys()].toSorted(), {
    threads,
    forMs: Infinity,
    onRead,
  });
  return seen;
}

/** The packs that a segment lists as they are; undefined when it says of one what that pack's own header does not. */
function compare(
  { segment }: ReadSegment,
  packs: ReadonlyMap<string, number>,
  digests: ReadonlyMap<string, string>,
  doubtful: Map<string, string>,
  absent: Set<string>,
): string[] | undefined {
  const right: string[] = [];
  let contradicts = false;
  for (const { pack, digest } of segmentDigests(segment)) {
    const { name, sizeBytes } = pack;
    const size = packs.get(name);
    if (size === undefined) absent.add(name);
    else if (size !== sizeBytes) doubtful.set(name, `it has ${size} bytes, and ${sizeBytes} were stored`);
    const own = digests.get(name);
    if (own === digest) right.push(name);
    else if (own !== undefined) contradicts = true;
  }
  return contradicts ? undefined : right;
}
