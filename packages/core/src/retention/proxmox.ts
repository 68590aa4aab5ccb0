import { Periods, type Kept, type RetentionInput } from './algorithm.ts';
import type { TimedCandidate } from './candidate.ts';
import { activeRules, KEEP_ALL, type CountRule } from './policy.ts';
import { countedReason } from './reason.ts';

/**
 * The algorithm of Proxmox Backup Server (`proxmox-backup-client prune`): rules from fine to coarse, and each passes over periods
 * that have an archive kept by a finer rule. What is not the newest of a period that was counted goes for good, so later rules see
 * only what is older. It reaches furthest back.
 */
export function keepLikeProxmox<T extends TimedCandidate>({ archives, policy, zone }: RetentionInput<T>): Kept<T> {
  const kept: Kept<T> = new Map();
  const gone = new Set<T>();
  const periods = new Periods(zone);
  for (const rule of activeRules(policy)) {
    if (rule !== 'within') keepPeriods(archives, rule, policy[rule] ?? 0, periods, kept, gone);
  }
  return kept;
}

function keepPeriods<T extends TimedCandidate>(
  archives: readonly T[],
  rule: CountRule,
  most: number,
  periods: Periods,
  kept: Kept<T>,
  gone: Set<T>,
): void {
  const passed = new Set([...kept.keys()].map((archive) => periods.of(rule, archive)));
  const counted = new Set<string>();
  for (const archive of archives) {
    if (kept.has(archive) || gone.has(archive)) continue;
    const period = periods.of(rule, archive);
    if (passed.has(period)) continue;
    if (counted.has(period)) {
      gone.add(archive);
      continue;
    }
    if (most !== KEEP_ALL && counted.size >= most) return;
    counted.add(period);
    kept.set(archive, [countedReason(rule, counted.size, most)]);
  }
}
