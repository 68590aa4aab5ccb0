import { availableParallelism } from 'node:os';

import { CountingStore, type CheckContext, type CheckProgress } from '../check/context.ts';
import { inEntries } from '../check/damage-notes.ts';
import { Findings } from '../check/finding.ts';
import { invariant } from '../errors.ts';
import { applyPlan, type Applied } from '../repair/apply.ts';
import { makePlan, type Prepared, type RepairPlan } from '../repair/plan.ts';
import { giveUpSlots } from '../repair/unreadable.ts';
import type { RepositoryAccess } from '../repository/access.ts';

export type { DamagedPack, RepairPlan } from '../repair/plan.ts';
export type { UnreadableSlot } from '../repair/unreadable.ts';

/** How closely a repair looks, and what it gives up. */
export interface RepairOptions {
  /** Read all packs wholly to find what is damaged; otherwise only headers, and packs that a check noted as damaged. */
  readonly data?: boolean;
  /**
   * Slots of log entries that cannot be read, to be given up for ever: their archives are deleted. Of a plan that was made
   * without; the default is none.
   */
  readonly giveUp?: readonly number[];
  /** Worker threads for `data`; 0 does all in this thread. Default: one for each core, at most 3. */
  readonly threads?: number;
}

/** How to run a repair. */
export interface RepairRun {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CheckProgress) => void;
}

/** What a repair did, and the plan that it carried out. */
export interface RepairReport extends Applied {
  readonly plan: RepairPlan;
}

/** Each thread takes some 40 MB. */
const MOST_THREADS = 3;

/** What plans were made from: what has to be known to carry one out, and is nobody else's concern. */
const PREPARED = new WeakMap<RepairPlan, { readonly prepared: Prepared; readonly startedNs: bigint }>();

/**
 * Looks at the repository and says what a repair would do; writes nothing. Damage is part of the plan: rejects only when
 * config, log or the store as a whole cannot be read, with `RIGHT_MISSING`, `CANCELLED`, and with `USAGE` for an entry that is not
 * to be given up.
 */
export async function planRepair(
  access: RepositoryAccess,
  options: RepairOptions = {},
  run: RepairRun = {},
): Promise<RepairPlan> {
  const { data = false, giveUp = [], threads = Math.min(MOST_THREADS, availableParallelism()) } = options;
  const startedNs = access.environment.clock.nowNs();
  const prepared = await makePlan(contextOf(access, run), data ? threads : undefined, giveUp);
  PREPARED.set(prepared.plan, { prepared, startedNs });
  return prepared.plan;
}

/**
 * Carries out a plan of `planRepair` of the same repository: lists packs anew, copies what is good in damaged packs into new
 * ones, and notes in the log what is damaged, so that the next backup stores it again. Deletes only what is given up by name,
 * condemns nothing, and may run beside any other client. Rejects with `PLAN_STALE` when a collector removed what it stored, with
 * `CANCELLED`, or like the store: what was stored until then does no harm, and the next repair goes on from there.
 */
export async function applyRepair(
  access: RepositoryAccess,
  plan: RepairPlan,
  run: RepairRun = {},
): Promise<RepairReport> {
  const known = PREPARED.get(plan);
  invariant(known !== undefined, 'a plan is one that planRepair made');
  if (plan.empty) return { plan, newPacks: [], newSegments: [], salvagedChunks: 0, salvagedBytes: 0 };
  await giveUpSlots(access.log, plan.unreadable, known.startedNs);
  const applied = await applyPlan(contextOf(access, run), known.prepared);
  await note(access, plan, known.startedNs);
  access.forgetIndex();
  return { plan, ...applied };
}

function contextOf(access: RepositoryAccess, { signal, onProgress }: RepairRun): CheckContext {
  const store = new CountingStore(access.store);
  return { access, store, findings: new Findings(undefined), signal, progress: onProgress ?? (() => undefined) };
}

/** Last of all: from now on nobody relies on what is damaged, and all that could be saved is elsewhere. */
async function note(access: RepositoryAccess, plan: RepairPlan, startedNs: bigint): Promise<void> {
  if (plan.notes.length + plan.lostSegments.length === 0) return;
  const endedNs = access.environment.clock.nowNs();
  const about = { kind: 'CHECK', startedNs, endedNs, level: 'repair', objects: plan.packs, bytes: 0 } as const;
  const findings = plan.notes.length + plan.lostSegments.length;
  for (const damage of inEntries(plan.notes)) {
    await access.log.append(() => ({ ...about, findings, damage, lostSegments: plan.lostSegments }));
  }
}
