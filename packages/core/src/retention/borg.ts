import { Periods, type Kept, type RetentionInput } from './algorithm.ts';
import type { TimedCandidate } from './candidate.ts';
import { intervalMs, parseInterval } from './interval.ts';
import { activeRules, KEEP_ALL, type CountRule } from './policy.ts';
import { countedReason } from './reason.ts';

/**
 * Borg's algorithm (1.2 and 1.4, `borg prune`): rules from fine to coarse, each from the newest archive to the oldest. The newest
 * archive of a period is kept and counted, unless a finer rule keeps it: then the period passes without being counted. A rule that
 * runs out of archives before it has as many as it may keeps the oldest archive. `within` counts from now and takes part in no
 * count. `last` is Borg's other name for `secondly`; here it keeps the last archives also where two are of one second.
 */
export function keepLikeBorg<T extends TimedCandidate>({ archives, policy, zone, nowMs }: RetentionInput<T>): Kept<T> {
  const kept: Kept<T> = new Map();
  const periods = new Periods(zone);
  for (const rule of activeRules(policy)) {
    if (rule === 'within') keepYounger(archives, policy.within ?? '', nowMs, kept);
    else keepPeriods(archives, rule, policy[rule] ?? 0, periods, kept);
  }
  return kept;
}

function keepYounger<T extends TimedCandidate>(
  archives: readonly T[],
  interval: string,
  nowMs: number,
  kept: Kept<T>,
): void {
  const bound = nowMs - intervalMs(parseInterval(interval));
  for (const archive of archives) {
    if (archive.timeMs > bound) kept.set(archive, [{ rule: 'within', interval }]);
  }
}

function keepPeriods<T extends TimedCandidate>(
  archives: readonly T[],
  rule: CountRule,
  most: number,
  periods: Periods,
  kept: Kept<T>,
): void {
  let before: string | undefined;
  let count = 0;
  for (const archive of archives) {
    const period = periods.of(rule, archive);
    if (period === before) continue;
    before = period;
    if (kept.has(archive)) continue;
    count += 1;
    kept.set(archive, [countedReason(rule, count, most)]);
    if (count === most) return;
  }
  const oldest = archives.at(-1);
  if (most === KEEP_ALL || oldest === undefined || kept.has(oldest)) return;
  kept.set(oldest, [countedReason(rule, count + 1, most, true)]);
}
