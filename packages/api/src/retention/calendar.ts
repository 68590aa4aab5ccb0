import { reasonText, TimeZone, type PrunePlan } from '@cairn/core';

import type { JsonObject } from '../shapes/index.ts';

/**
 * The plan of a prune as a calendar: for each series the days that have archives, newest first, and on each what is kept there by
 * which rule. Days are those of the plan's time zone. What the store told no time of is on no day.
 */
export function calendarJson({ series, timeZone }: PrunePlan): JsonObject[] {
  const zone = new TimeZone(timeZone);
  return series.map(({ series: name, verdicts }) => {
    const days = new Map<string, JsonObject[]>();
    for (const { archive, timeMs, reasons } of verdicts) {
      if (timeMs === undefined) continue;
      const day = zone.text(timeMs).slice(0, 'YYYY-MM-DD'.length);
      const archives = days.get(day) ?? [];
      days.set(day, archives);
      archives.push({ id: archive.id, name: archive.name, keep: reasons.length > 0, reasons: reasons.map(reasonText) });
    }
    return {
      series: name,
      days: [...days].map(([day, archives]) => ({
        day,
        kept: archives.filter(({ keep }) => keep === true).length,
        removed: archives.filter(({ keep }) => keep === false).length,
        archives,
      })),
    };
  });
}
