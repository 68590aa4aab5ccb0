import { choosePacks, type PackTotal } from '../collect/choice.ts';
import { Collection, type Collected, type Prepared } from '../collect/collection.ts';
import { chooseMerging } from '../collect/merge-index.ts';
import { Grace, isDroppable, Roots } from '../collect/roots.ts';
import { Survey } from '../collect/survey.ts';
import { dueAt } from '../collect/sweep.ts';
import { Watch, type CompactRun } from '../collect/watch.ts';
import { CairnError } from '../errors.ts';
import { COMPACT_MAX_UNUSED, GRACE_DEFAULT_MS } from '../limits.ts';
import type { ArchiveRecord } from '../log/state.ts';
import type { UnreadableArchive } from '../log/unreadable.ts';
import type { RepositoryAccess } from '../repository/access.ts';

export type { PackTotal } from '../collect/choice.ts';
export type { CompactProgress, CompactRun } from '../collect/watch.ts';

/** How soon things go, and how tidy packs must be. */
export interface CompactOptions {
  /**
   * Milliseconds that pass before something goes: between deleting an archive and dropping it, and again between condemning an
   * object and removing it; packs that nothing refers to must be so old. Default: 7 days. With 0 all is done at once: nothing
   * can be undone, and a backup that is under way may have to start again.
   */
  readonly graceMs?: number;
  /** Share of a pack, 0 to below 1, that may be unused without its being written again. Default: 0.25. */
  readonly maxUnused?: number;
}

/** What a compaction would do; numbers are as the index tells. Made by `planCompact`, and carried out once by `applyCompact`. */
export interface CompactPlan {
  readonly options: Required<CompactOptions>;
  /** Slot of the newest log entry that was taken into account. */
  readonly seq: number;
  /** Archives that stop being roots: deleted for the grace, not pinned, not protected. */
  readonly drop: readonly ArchiveRecord[];
  /** The same of archives whose COMMIT cannot be read. */
  readonly dropUnreadable: readonly UnreadableArchive[];
  /** Archives that are deleted and stay for now: in the grace, pinned or protected. */
  readonly waiting: readonly ArchiveRecord[];
  /** Packs of which nothing is needed. */
  readonly dead: PackTotal;
  /** Packs that no index segment lists: of runs that were interrupted. */
  readonly unlisted: PackTotal;
  /** Packs that nothing refers to, and that stay for now: they may be of a run that is under way. */
  readonly young: PackTotal;
  /** Index segments that should be there and are not: `cairn check` tells more. Packs that no segment lists then stay. */
  readonly lostSegments: number;
  /** Packs of which too much is unused: the rest is copied. */
  readonly repack: PackTotal & { readonly copiedBytes: number; readonly freedBytes: number };
  /** Sealed bytes that nothing needs in packs that stay as they are. */
  readonly unusedBytes: number;
  /** Index segments that are written again into fewer, that list nothing any more, or nothing that others do not. */
  readonly mergedSegments: number;
  /** Objects that are condemned for the grace, and go for ever. */
  readonly sweep: { readonly packs: number; readonly segments: number };
  /** Objects that are condemned, and whose grace is not over. */
  readonly condemned: { readonly packs: number; readonly segments: number };
  /** Objects that are swept and in the store all the same. */
  readonly leftovers: number;
}

/** What a compaction did. */
export interface CompactReport extends Omit<Collected, 'dropped'> {
  /** Archives that were dropped: they cannot be brought back any more. */
  readonly dropped: readonly ArchiveRecord[];
  /** How many were dropped whose COMMIT cannot be read. */
  readonly droppedUnreadable: number;
  readonly durationMs: number;
}

/** What was found out for a plan, until it is carried out. */
const PREPARED = new WeakMap<CompactPlan, Prepared>();

/**
 * Finds out what `applyCompact` would do. Reads index and trees, and writes nothing. A key that maintains is enough.
 * Rejects with `USAGE` for options that cannot be, `RIGHT_MISSING` when the key opens no trees, `CORRUPT` or `OBJECT_MISSING` when
 * an index segment or the trees of an archive are damaged: then nobody can say what is garbage.
 */
export async function planCompact(
  access: RepositoryAccess,
  options: CompactOptions = {},
  run: CompactRun = {},
): Promise<CompactPlan> {
  const { graceMs = GRACE_DEFAULT_MS, maxUnused = COMPACT_MAX_UNUSED } = options;
  assertOptions(graceMs, maxUnused);
  const watch = new Watch(run);
  const grace = new Grace(access.environment.clock, graceMs);
  const survey = await Survey.take(access, watch);
  const { state, seq } = access.log;
  const deleted = [...state.archives.values()].filter((archive) => archive.state === 'deleted');
  const drop = deleted.filter(({ id }) => isDroppable(state, id, grace));
  const dropUnreadable = state.unreadable().filter(({ id }) => isDroppable(state, id, grace));
  const drops = new Set([...drop, ...dropUnreadable].map(({ id }) => id));
  const roots = new Roots(survey, grace, drops, watch);
  await roots.catchUp();
  const choice = choosePacks(survey, grace, maxUnused);
  const merging = chooseMerging(survey, ({ name, receivedMs }) => state.segments.has(name) || grace.isOver(receivedMs));
  const due = dueAt(state, grace);
  const sizeOf = (pack: number): number => survey.index.packs[pack]?.sizeBytes ?? 0;
  const { copied, freed } = choice.repackBytes;
  const plan: CompactPlan = {
    options: { graceMs, maxUnused },
    seq,
    drop,
    dropUnreadable,
    waiting: deleted.filter((archive) => !drop.includes(archive)),
    dead: total(choice.dead.map(sizeOf)),
    unlisted: total(choice.unlisted.map(({ sizeBytes }) => sizeBytes)),
    young: choice.young,
    lostSegments: survey.lostSegments,
    repack: { ...total(choice.repack.map(sizeOf)), copiedBytes: copied, freedBytes: freed },
    unusedBytes: choice.unusedBytes,
    mergedSegments: merging.segments.length + merging.empty.length + merging.redundant.length,
    sweep: { packs: due.packs.length, segments: due.segments.length },
    condemned: {
      packs: state.condemnedPacks.size - due.packs.length,
      segments: state.condemnedSegments.size - due.segments.length,
    },
    leftovers: survey.leftovers.length,
  };
  PREPARED.set(plan, { survey, roots, grace, choice, merging, watch });
  return plan;
}

/**
 * Carries out a plan: drops archives, condemns what nothing needs, moves what is needed out of packs that are mostly not, sweeps
 * what was condemned for the grace, and removes its bytes. All of it is judged anew at the head of the log: what happened
 * since the plan was made is taken into account. Rejects with `PLAN_STALE` when the plan was carried out before, with
 * `CANCELLED` when the signal fired (the next run goes on from there), and whatever the store rejects with.
 */
export async function applyCompact(
  access: RepositoryAccess,
  plan: CompactPlan,
  run: CompactRun = {},
): Promise<CompactReport> {
  const prepared = PREPARED.get(plan);
  if (prepared?.survey.access !== access) {
    throw new CairnError('PLAN_STALE', 'this plan was carried out already, or made for another repository', {
      hint: 'Make a new plan.',
    });
  }
  PREPARED.delete(plan);
  prepared.watch.handTo(run);
  const { clock } = access.environment;
  const startMs = clock.monotonicMs();
  try {
    const { dropped: ids, ...collected } = await new Collection(prepared).run();
    const { archives } = access.log.state;
    const dropped = ids.map((id) => archives.get(id)).filter((archive) => archive !== undefined);
    return {
      ...collected,
      dropped,
      droppedUnreadable: ids.length - dropped.length,
      durationMs: clock.monotonicMs() - startMs,
    };
  } finally {
    access.forgetIndex();
  }
}

function total(sizes: readonly number[]): PackTotal {
  return { packs: sizes.length, bytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
}

function assertOptions(graceMs: number, maxUnused: number): void {
  if (!(graceMs >= 0 && Number.isSafeInteger(graceMs))) {
    throw new CairnError('USAGE', `not a grace: ${graceMs} milliseconds`, { hint: 'Give a whole number from 0 up.' });
  }
  if (!(maxUnused >= 0 && maxUnused < 1)) {
    throw new CairnError('USAGE', `not a share of a pack: ${maxUnused}`, { hint: 'Give a number from 0 to below 1.' });
  }
}
