import { CairnError, isCairnError } from '../errors.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { OwnerMarks, type ChunkSum } from '../usage/owner-marks.ts';
import { UsageWalk } from '../usage/usage-walk.ts';
import { listArchives } from './archives.ts';

export interface StatsOptions {
  /** Live archives that would be deleted together. Then `archives` of the report is left out. */
  readonly ifDeleted?: readonly ArchiveRecord[];
}

/** How counting is followed and stopped. */
export interface StatsRun {
  readonly signal?: AbortSignal;
  /** Archives that were walked. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Objects of a kind, and their bytes. */
export interface ObjectSum {
  readonly count: number;
  readonly bytes: number;
}

/** A live archive, and what would go with it. */
export interface ArchiveUsage extends ChunkSum {
  readonly archive: ArchiveRecord;
}

/** What a series grew by in one month. */
export interface MonthGrowth {
  /** `2026-11`, in UTC, by when the store received the archives. */
  readonly month: string;
  readonly archives: number;
  /** What these archives added when they were made, sealed, bytes: whether it is still there or not. */
  readonly addedBytes: number;
  /** Content of the last of them, bytes. */
  readonly contentBytes: number;
}

/** What a series added, month by month. */
export interface SeriesGrowth {
  readonly series: string;
  readonly months: readonly MonthGrowth[];
}

/** What a repository holds. */
export interface StatsReport {
  readonly liveArchives: number;
  readonly deletedArchives: number;
  /** Content of the files of all live archives, added up, bytes. */
  readonly contentBytes: number;
  /** Plaintext of all chunks that live or deleted archives need, each once, bytes. */
  readonly uniqueBytes: number;
  /** Chunks that live or deleted archives need. */
  readonly needed: ChunkSum;
  /** Those among them that only deleted archives need, sealed, bytes: they go when compact has dropped these. */
  readonly deletedBytes: number;
  /** Chunks that the index lists and no archive needs, and second copies: what compact can give back. */
  readonly unneeded: ChunkSum;
  /** References to chunks that no pack has: the repository is damaged. */
  readonly missingChunks: number;
  /** Packs that the index lists. */
  readonly packs: ObjectSum;
  /** Packs that it does not list: a backup is under way, or was interrupted. */
  readonly unlistedPacks: ObjectSum;
  /** Packs and index segments that were swept and are still in the store: the next compact removes them. */
  readonly swept: ObjectSum;
  readonly index: ObjectSum;
  readonly log: ObjectSum;
  /** For each live archive what deleting it alone would free. Oldest first; undefined with `ifDeleted`. */
  readonly archives: readonly ArchiveUsage[] | undefined;
  /** What deleting all archives of `ifDeleted` would free. */
  readonly ifDeleted: ChunkSum | undefined;
  /** By series, in the order of their first archives; archives that are gone count for what they had added. */
  readonly growth: readonly SeriesGrowth[];
}

/**
 * What the repository holds, and what each archive would free. Sizes are those of the index; trees are read, file contents are
 * not, so a maintain key is enough. Memory is that of the index and a third more. Archives that are deleted already do not
 * count as holders: what they share with a live one goes when both are gone.
 * Rejects with `RIGHT_MISSING` for a key that only backs up, with `CORRUPT` or `OBJECT_MISSING` when a tree cannot be read,
 * with `USAGE` when an archive of `ifDeleted` is not live.
 */
export async function repositoryStats(
  access: RepositoryAccess,
  options: StatsOptions = {},
  run: StatsRun = {},
): Promise<StatsReport> {
  access.refuseWriteOnly('see what archives need');
  const live = listArchives(access.log.state);
  const deleted = listArchives(access.log.state, { deleted: 'only' });
  const ownerOf = ownersOf(live, options.ifDeleted);
  const index = await access.index();
  const marks = new OwnerMarks(index);
  const walk = new UsageWalk(access.suite, await access.chunkReader(), marks, run.signal);
  const walkAll = async (archives: readonly ArchiveRecord[], before: number): Promise<void> => {
    for (const [i, archive] of archives.entries()) {
      run.onProgress?.(before + i, live.length + deleted.length);
      await walkUnlessDropped(access, archive, () => walk.archive(archive, ownerOf(archive)));
    }
  };
  await walkAll(live, 0);
  const alone = marks.alone(live.length);
  marks.firstStoredBytes = 0;
  await walkAll(deleted, live.length);
  const listed = new Set(index.packs.map(({ name }) => name));
  const stored = await storedObjects(access, listed, run.signal);
  return {
    liveArchives: live.length,
    deletedArchives: deleted.length,
    contentBytes: live.reduce((sum, { descriptor }) => sum + descriptor.stats.bytes, 0),
    uniqueBytes: marks.neededBytes,
    ...marks.split(),
    deletedBytes: marks.firstStoredBytes,
    missingChunks: marks.missing,
    ...stored,
    archives:
      options.ifDeleted === undefined
        ? live.map((archive, i) => ({ archive, ...(alone[i] ?? { chunks: 0, storedBytes: 0 }) }))
        : undefined,
    ifDeleted: options.ifDeleted === undefined ? undefined : alone[0],
    growth: growthOf([...access.log.state.archives.values()]),
  };
}

/**
 * Numbers for the owners: with `together`, 0 for all of these; otherwise each archive's own. Deleted archives come behind all
 * live ones.
 */
function ownersOf(
  live: readonly ArchiveRecord[],
  together: readonly ArchiveRecord[] | undefined,
): (archive: ArchiveRecord) => number {
  const numbers = new Map(live.map(({ id }, i) => [id, together === undefined ? i : i + 1]));
  for (const { id, name } of together ?? []) {
    if (!numbers.has(id)) {
      throw new CairnError('USAGE', `${name} is not a live archive`, { hint: 'See what there is with `cairn list`.' });
    }
    numbers.set(id, 0);
  }
  const behind = live.length + 1;
  return ({ id }) => numbers.get(id) ?? behind;
}

/** An archive that compact dropped meanwhile is no damage: it just does not count any more. */
async function walkUnlessDropped(
  access: RepositoryAccess,
  archive: ArchiveRecord,
  walk: () => Promise<void>,
): Promise<void> {
  try {
    await walk();
  } catch (error) {
    if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
    await access.log.refresh();
    if (access.log.state.archives.get(archive.id)?.state !== 'dropped') throw error;
  }
}

async function storedObjects(
  access: RepositoryAccess,
  listed: ReadonlySet<string>,
  signal: AbortSignal | undefined,
): Promise<Pick<StatsReport, 'packs' | 'unlistedPacks' | 'swept' | 'index' | 'log'>> {
  const { store, log } = access;
  const sums = { packs: none(), unlistedPacks: none(), swept: none(), index: none(), log: none() };
  const sumOf = (kind: 'packs' | 'index' | 'log', name: string): { count: number; bytes: number } => {
    if (kind === 'log') return sums.log;
    if ((kind === 'packs' ? log.state.sweptPacks : log.state.sweptSegments).has(name)) return sums.swept;
    if (kind === 'index') return sums.index;
    return listed.has(name) ? sums.packs : sums.unlistedPacks;
  };
  for (const kind of ['packs', 'index', 'log'] as const) {
    for await (const { name, sizeBytes } of store.list(kind)) {
      throwIfCancelled(signal, 'stats');
      const sum = sumOf(kind, name);
      sum.count += 1;
      sum.bytes += sizeBytes;
    }
  }
  return sums;
}

function none(): { count: number; bytes: number } {
  return { count: 0, bytes: 0 };
}

function growthOf(archives: readonly ArchiveRecord[]): SeriesGrowth[] {
  const series = new Map<string, Map<string, MonthGrowth>>();
  for (const { descriptor, receivedMs } of archives) {
    const months = series.get(descriptor.series) ?? new Map<string, MonthGrowth>();
    series.set(descriptor.series, months);
    const month = new Date(receivedMs).toISOString().slice(0, 'YYYY-MM'.length);
    const before = months.get(month);
    months.set(month, {
      month,
      archives: (before?.archives ?? 0) + 1,
      addedBytes: (before?.addedBytes ?? 0) + descriptor.stats.storedBytes,
      contentBytes: descriptor.stats.bytes,
    });
  }
  return [...series].map(([name, months]) => ({
    series: name,
    months: [...months.values()].sort((a, b) => (a.month < b.month ? -1 : 1)),
  }));
}
