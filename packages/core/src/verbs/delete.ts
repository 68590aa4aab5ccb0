import { CairnError } from '../errors.ts';
import { becauseText, type Because } from '../log/because.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';

/** What a deletion, or its undoing, is going to do. */
export interface DeletePlan {
  readonly kind: 'DELETE' | 'UNDELETE';
  /** Each once, oldest COMMIT first. */
  readonly archives: readonly ArchiveRecord[];
}

/** What the log says of a deletion, or of its end. */
export type DeleteOptions = Because;

/** Archives that were deleted, or brought back. */
export interface DeleteReport {
  /** What was changed, as it is now. */
  readonly archives: readonly ArchiveRecord[];
  /** What was so already when it was to be done: somebody else was faster. */
  readonly unchanged: readonly ArchiveRecord[];
}

/**
 * Plans to hide archives. Nothing is removed by it: until compact drops them they can be brought back.
 * Rejects with `RIGHT_MISSING` for a key that only backs up, with `ARCHIVE_PROTECTED` when one of them is protected.
 */
export function planDelete(access: RepositoryAccess, archives: readonly ArchiveRecord[]): DeletePlan {
  access.refuseWriteOnly('delete archives');
  const plan = planOf(access, 'DELETE', archives);
  refuseProtected(plan.archives);
  return plan;
}

/** Plans to bring deleted archives back. Rejects with `RIGHT_MISSING` for a key that only backs up. */
export function planUndelete(access: RepositoryAccess, archives: readonly ArchiveRecord[]): DeletePlan {
  access.refuseWriteOnly('bring archives back');
  return planOf(access, 'UNDELETE', archives);
}

/** Does what `planDelete` planned, as one entry of the log. Rejects as it does, when that has become true since. */
export async function applyDelete(
  access: RepositoryAccess,
  plan: DeletePlan,
  options: DeleteOptions = {},
): Promise<DeleteReport> {
  return await apply(access, plan, options, (state) => {
    const archives = present(state, plan).filter((archive) => archive.state === 'live');
    refuseProtected(archives);
    return archives;
  });
}

/**
 * Does what `planUndelete` planned, as one entry of the log. Rejects with `ARCHIVE_MISSING`, and brings none back, when
 * compact has dropped one of them since.
 */
export async function applyUndelete(
  access: RepositoryAccess,
  plan: DeletePlan,
  options: DeleteOptions = {},
): Promise<DeleteReport> {
  return await apply(access, plan, options, (state) => {
    const archives = present(state, plan);
    const gone = archives.find((archive) => archive.state === 'dropped');
    if (gone === undefined) return archives.filter((archive) => archive.state === 'deleted');
    throw new CairnError('ARCHIVE_MISSING', `${gone.name} cannot be brought back: its space was given back meanwhile`, {
      hint: 'Leave it out. Another copy of the repository may have it.',
    });
  });
}

function planOf(access: RepositoryAccess, kind: DeletePlan['kind'], archives: readonly ArchiveRecord[]): DeletePlan {
  const unique = new Map(archives.map((archive) => [archive.id, archive]));
  if (unique.size === 0) {
    throw new CairnError('USAGE', 'no archive is given', { hint: 'See what there is with `cairn list`.' });
  }
  return { kind, archives: present(access.log.state, { archives: [...unique.values()] }) };
}

/** The archives of a plan as they are at the head, oldest COMMIT first. */
function present(state: LogState, { archives }: Pick<DeletePlan, 'archives'>): ArchiveRecord[] {
  return archives.map((archive) => state.archives.get(archive.id) ?? archive).toSorted((a, b) => a.seq - b.seq);
}

function refuseProtected(archives: readonly ArchiveRecord[]): void {
  const [first, ...others] = archives.filter((archive) => archive.protect);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : `, and ${others.length} more of those named`;
  throw new CairnError('ARCHIVE_PROTECTED', `${first.name} is protected${more}: nothing is deleted`, {
    hint: `\`cairn protect --off ${first.name}\` ends that.`,
  });
}

/** @param due which of the plan's archives are to be changed, as they are at the head. */
async function apply(
  access: RepositoryAccess,
  { kind, archives }: DeletePlan,
  because: DeleteOptions,
  due: (state: LogState) => readonly ArchiveRecord[],
): Promise<DeleteReport> {
  let changed = new Set<string>();
  await access.log.append((state) => {
    changed = new Set(due(state).map(({ id }) => id));
    return changed.size === 0 ? undefined : { kind, archives: [...changed], reason: becauseText(because) };
  });
  const now = present(access.log.state, { archives });
  return {
    archives: now.filter(({ id }) => changed.has(id)),
    unchanged: now.filter(({ id }) => !changed.has(id)),
  };
}

/**
 * From when compact may drop a deleted archive, milliseconds since 1970 by the store's clock; until then at least it can be
 * brought back. undefined for one that is not deleted, and for a protected one, which is kept for as long as it is.
 * @param graceMs the grace that compact is run with.
 */
export function droppableFromMs(archive: ArchiveRecord, graceMs: number): number | undefined {
  const { state, deletedMs, protect } = archive;
  return state !== 'deleted' || deletedMs === undefined || protect ? undefined : deletedMs + graceMs;
}
