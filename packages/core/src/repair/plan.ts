import type { CheckContext } from '../check/context.ts';
import { isDamage } from '../check/context.ts';
import { newNotes, type SeenDamage } from '../check/damage-notes.ts';
import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import type { DamageNote } from '../log/damage.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import { learnPacks } from './known-packs.ts';
import { examinePack, type PackTable } from './salvage.ts';
import { takeSurvey, type Survey } from './survey.ts';
import { unreadableSlots, type UnreadableSlot } from './unreadable.ts';

/** A damaged pack, and what of it can be saved. */
export interface DamagedPack {
  readonly name: string;
  readonly sizeBytes: number;
  /** What is wrong with it. */
  readonly reason: string;
  /** Chunks that open and have no other sound copy: they are copied into a new pack. */
  readonly salvaged: number;
  /** Chunks that open and have a sound copy elsewhere. */
  readonly copiedBefore: number;
  /** Chunks that do not open. */
  readonly damaged: number;
  /** Chunks that this key cannot open: they stay where they are. */
  readonly unopened: number;
  /** The header cannot be opened: the chunks are those that archives need, as far as index segments and trees tell of them. */
  readonly headerLost: boolean;
}

/**
 * What a repair is going to do. Nothing is deleted but archives that cannot be read and that the caller gives up by name; nothing is
 * condemned, no entry of the log changed.
 */
export interface RepairPlan {
  /** Number of the newest log entry that the plan knows of. */
  readonly logSeq: number;
  /** Packs in the store. */
  readonly packs: number;
  /** Packs that a new index segment is going to list. */
  readonly relist: readonly string[];
  /** Entries of the log that cannot be read. Nothing is done about them but what was asked for. */
  readonly unreadable: readonly UnreadableSlot[];
  /** Index segments that are damaged or wrong: noted in the log, so that nobody reads them any more. */
  readonly lostSegments: readonly string[];
  /** Packs that are going to be noted as absent. */
  readonly absent: readonly string[];
  readonly damaged: readonly DamagedPack[];
  /** Packs that were noted as damaged and are sound: noted as such. */
  readonly sound: readonly string[];
  /** What the log is going to be told of packs. */
  readonly notes: readonly DamageNote[];
  /** There is nothing to do. */
  readonly empty: boolean;
}

/** A plan, and what was learned for it. */
export interface Prepared {
  readonly plan: RepairPlan;
  readonly survey: Survey;
  /** What packs hold whose header cannot be opened. */
  readonly learned: ReadonlyMap<string, PackTable>;
}

/**
 * Looks at everything and decides. Rejects when the store cannot be read, with `RIGHT_MISSING` and with `CANCELLED`; damage is
 * part of the plan.
 * @param threads when given, all packs are read wholly first, on so many worker threads; otherwise only those that are known
 * to be damaged.
 * @param giveUp slots of log entries that cannot be read and are to be given up.
 */
export async function makePlan(
  context: CheckContext,
  threads: number | undefined,
  giveUp: readonly number[],
): Promise<Prepared> {
  const { access, signal } = context;
  const unreadable = await unreadableSlots(access.log, new Set(giveUp));
  const survey = await takeSurvey(context, threads);
  const opener = new ChunkOpener(access.suite, await access.zstd(), access.keys);
  const seen = new Map<string, SeenDamage>(survey.absent.map((name) => [name, 'all'] as const));
  const damaged: DamagedPack[] = [];
  const sound: string[] = [];
  const known = access.log.state.damage.packs;
  const learned = await learnPacks(context, opener, survey.index, survey.headerLost);
  for (const [name, reason] of survey.doubtful) {
    throwIfCancelled(signal, 'repair');
    const found = await lookAt(context, opener, survey, name, reason, learned.get(name));
    if (found === undefined) continue;
    if (found === 'sound') {
      seen.set(name, 'none');
      if (known.has(name)) sound.push(name);
      continue;
    }
    damaged.push(found);
    // What a key could not open may have been looked at by another: that note is more exact.
    if (found.unopened === 0 || !known.has(name)) seen.set(name, 'all');
  }
  const { unlisted, lostSegments, absent, packs } = survey;
  const notes = newNotes(seen, known);
  const salvaged = damaged.some((pack) => pack.salvaged > 0);
  const plan = {
    logSeq: access.log.seq,
    packs: packs.size,
    relist: unlisted,
    unreadable,
    lostSegments,
    absent: absent.filter((name) => known.get(name) !== 'all'),
    damaged,
    sound,
    notes,
    empty: unlisted.length + lostSegments.length + notes.length + giveUp.length === 0 && !salvaged,
  };
  return { plan, survey, learned };
}

/** Undefined when the pack need not be there any more. */
async function lookAt(
  context: CheckContext,
  opener: ChunkOpener,
  { packs, index }: Survey,
  name: string,
  reason: string,
  known: PackTable | undefined,
): Promise<DamagedPack | 'sound' | undefined> {
  const { access } = context;
  const sizeBytes = packs.get(name) ?? 0;
  const counts = { salvaged: 0, copiedBefore: 0, damaged: 0, unopened: 0 };
  try {
    const examined = await examinePack(context, opener, name, sizeBytes, known);
    const { good, damaged, unopened, whole, headerLost } = examined;
    if (whole && damaged === 0 && !headerLost) return 'sound';
    for (const { chunk } of good) {
      if (index.places(chunk.id).some((place) => !place.damaged)) counts.copiedBefore += 1;
      else counts.salvaged += 1;
    }
    return { name, sizeBytes, reason, ...counts, damaged, unopened, headerLost };
  } catch (error) {
    if (!isDamage(error)) throw error;
    await access.log.refresh();
    if (access.log.state.sweptPacks.has(name)) return undefined;
    return { name, sizeBytes, reason: error.message, ...counts, headerLost: true };
  }
}
