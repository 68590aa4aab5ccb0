import type { CompactPlan, CompactReport } from '@cairn/core';

import type { JsonObject } from './json.ts';

/** @param report undefined for a dry run. */
export function compactJson(plan: CompactPlan, report: CompactReport | undefined): JsonObject {
  return {
    dry_run: report === undefined,
    plan: planJson(plan),
    ...(report === undefined ? {} : { result: reportJson(report) }),
  };
}

function planJson(plan: CompactPlan): JsonObject {
  const { options, dead, unlisted, young, repack, sweep, condemned } = plan;
  return {
    grace_ms: options.graceMs,
    max_unused_percent: Math.round(options.maxUnused * 100),
    drop: plan.drop.map(({ name }) => name),
    drop_unreadable: plan.dropUnreadable.map(({ id }) => id),
    waiting: plan.waiting.map(({ name }) => name),
    dead_packs: dead.packs,
    dead_bytes: dead.bytes,
    unlisted_packs: unlisted.packs,
    unlisted_bytes: unlisted.bytes,
    young_packs: young.packs,
    young_bytes: young.bytes,
    lost_segments: plan.lostSegments,
    repack_packs: repack.packs,
    repack_copied_bytes: repack.copiedBytes,
    repack_freed_bytes: repack.freedBytes,
    unused_bytes: plan.unusedBytes,
    merged_segments: plan.mergedSegments,
    sweep_packs: sweep.packs,
    sweep_segments: sweep.segments,
    condemned_packs: condemned.packs,
    condemned_segments: condemned.segments,
    leftovers: plan.leftovers,
  };
}

function reportJson(report: CompactReport): JsonObject {
  const { condemned, repacked, swept, removed } = report;
  return {
    dropped: report.dropped.map(({ name }) => name),
    dropped_unreadable: report.droppedUnreadable,
    condemned_packs: condemned.packs,
    condemned_bytes: condemned.bytes,
    condemned_segments: condemned.segments,
    repacked_packs: repacked.packs,
    repacked_copied_bytes: repacked.copiedBytes,
    merged_segments: report.mergedSegments,
    rescued: [...report.rescued],
    swept_packs: swept.packs,
    swept_segments: swept.segments,
    removed_objects: removed.objects,
    removed_bytes: removed.bytes,
    damaged: [...report.damaged],
    duration_ms: Math.round(report.durationMs),
  };
}
