import { storeTime, type JsonObject } from '@cairn/api/shapes';
import type { LogRepairPlan, RepairPlan, RepairReport } from '@cairn/core';

/** A plan, and what came of it. */
export interface Repaired {
  readonly plan: RepairPlan;
  /** Undefined for a dry run. */
  readonly report: RepairReport | undefined;
}

/** @param tail a log entry that is set aside. */
export function repairJson({ plan, report }: Repaired, tail: LogRepairPlan | undefined): JsonObject {
  return {
    dry_run: report === undefined,
    nothing_to_do: plan.empty && tail === undefined,
    ...(tail === undefined
      ? {}
      : { log_entry: { seq: tail.seq, bytes: tail.sizeBytes, reason: tail.reason, seen: tail.seen } }),
    packs: plan.packs,
    unreadable_entries: plan.unreadable.map(({ seq, receivedMs, why, archive, giveUp }) => ({
      seq,
      received: storeTime(receivedMs),
      reason: why,
      archive,
      given_up: giveUp,
    })),
    relist: plan.relist,
    lost_segments: plan.lostSegments,
    missing_packs: plan.absent,
    damaged_packs: plan.damaged.map((pack) => ({
      pack: pack.name,
      bytes: pack.sizeBytes,
      reason: pack.reason,
      salvaged: pack.salvaged,
      copied_before: pack.copiedBefore,
      damaged: pack.damaged,
      unopened: pack.unopened,
      header_lost: pack.headerLost,
    })),
    sound_again: plan.sound,
    ...(report === undefined
      ? {}
      : {
          new_packs: report.newPacks,
          new_segments: report.newSegments,
          salvaged_chunks: report.salvagedChunks,
          salvaged_bytes: report.salvagedBytes,
        }),
  };
}
