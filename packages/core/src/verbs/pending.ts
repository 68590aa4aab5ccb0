import { Grace, isDroppable } from '../collect/roots.ts';
import { GRACE_DEFAULT_MS } from '../limits.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { listArchives } from './archives.ts';
import { droppableFromMs } from './delete.ts';

/** An archive that is deleted and not dropped yet. */
export interface PendingArchive {
  readonly archive: ArchiveRecord;
  /** What keeps the next compact from dropping it; undefined when nothing does. */
  readonly heldBy: 'grace' | 'pin' | 'protection' | undefined;
  /** From when its grace is over, milliseconds since 1970; undefined for a protected one. */
  readonly droppableMs: number | undefined;
}

/** Objects that one CONDEMN named, and that are still there. */
export interface PendingObjects {
  /** When the store received it, milliseconds since 1970. */
  readonly sinceMs: number;
  /** From when a compact removes their bytes, milliseconds since 1970. */
  readonly removableMs: number;
  readonly packs: number;
  readonly segments: number;
}

/** What was decided to go, and is still there. */
export interface PendingDeletions {
  /** Slot of the newest log entry that was taken into account. */
  readonly seq: number;
  readonly graceMs: number;
  /** Those that go first before the others; those that are held for no known time last. */
  readonly archives: readonly PendingArchive[];
  /** Oldest first. */
  readonly objects: readonly PendingObjects[];
}

/**
 * What is deleted or condemned, and when a compact may drop or remove it, as far as the log that was replayed tells. Reads nothing.
 * @param graceMs that compact is run with.
 */
export function pendingDeletions(access: RepositoryAccess, graceMs = GRACE_DEFAULT_MS): PendingDeletions {
  const { state, seq } = access.log;
  const grace = new Grace(access.environment.clock, graceMs);
  const archives = listArchives(state, { deleted: 'only' }).map((archive): PendingArchive => {
    const droppableMs = droppableFromMs(archive, graceMs);
    return { archive, droppableMs, heldBy: holderOf(archive, state, grace) };
  });
  archives.sort((a, b) => (a.droppableMs ?? Infinity) - (b.droppableMs ?? Infinity) || a.archive.seq - b.archive.seq);
  return { seq, graceMs, archives, objects: condemnedAt(state, graceMs) };
}

function holderOf(archive: ArchiveRecord, state: LogState, grace: Grace): PendingArchive['heldBy'] {
  if (isDroppable(state, archive.id, grace)) return undefined;
  if (archive.protect) return 'protection';
  return archive.deletedMs !== undefined && grace.isOver(archive.deletedMs) ? 'pin' : 'grace';
}

function condemnedAt(state: LogState, graceMs: number): PendingObjects[] {
  const bySlot = new Map<number, { sinceMs: number; packs: number; segments: number }>();
  for (const [kind, condemned] of [
    ['packs', state.condemnedPacks],
    ['segments', state.condemnedSegments],
  ] as const) {
    for (const { seq, sinceMs } of condemned.values()) {
      const known = bySlot.get(seq) ?? { sinceMs, packs: 0, segments: 0 };
      known[kind] += 1;
      bySlot.set(seq, known);
    }
  }
  return [...bySlot.values()]
    .map((one) => ({ ...one, removableMs: one.sinceMs + graceMs }))
    .sort((a, b) => a.sinceMs - b.sinceMs);
}
