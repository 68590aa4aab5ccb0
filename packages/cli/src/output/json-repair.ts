import type { RepairPlan, RepairReport } from '@cairn/core';

import type { JsonObject } from './json-shapes.ts';

/** @param report absent for a dry run. */
export function repairJson(plan: RepairPlan, report: RepairReport | undefined): JsonObject {
  return {
    dry_run: report === undefined,
    nothing_to_do: plan.empty,
    packs: plan.packs,
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
