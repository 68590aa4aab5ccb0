import { describePolicy, reasonText, type PrunePlan } from '@cairn/core';

import type { JsonObject } from './json.ts';
import { storeTime } from './times.ts';

export function pruneJson({ policy, timeZone, time, maxShare, series }: PrunePlan, dryRun: boolean): JsonObject {
  const { algorithm = 'borg', ...rules } = policy;
  return {
    dry_run: dryRun,
    algorithm,
    policy: describePolicy(rules),
    time_zone: timeZone,
    by: time,
    max_share: Math.round(maxShare * 100),
    kept: series.reduce((sum, { verdicts, removed }) => sum + verdicts.length - removed, 0),
    removed: series.reduce((sum, { removed }) => sum + removed, 0),
    series: series.map((one) => ({
      series: one.series,
      kept: one.verdicts.length - one.removed,
      removed: one.removed,
      exceeds: one.exceeds,
      archives: one.verdicts.map(({ archive, timeMs, reasons }) => ({
        id: archive.id,
        name: archive.name,
        ...(timeMs === undefined ? {} : { time: storeTime(timeMs) }),
        keep: reasons.length > 0,
        reasons: reasons.map(reasonText),
      })),
    })),
  };
}
