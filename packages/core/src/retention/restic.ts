import { Periods, type Kept, type RetentionInput } from './algorithm.ts';
import type { TimedCandidate } from './candidate.ts';
import { intervalMs, parseInterval, type Interval } from './interval.ts';
import type { TimeZone } from './local-time.ts';
import { activeRules, KEEP_ALL, type CountRule } from './policy.ts';
import { countedReason, type KeepReason } from './reason.ts';

/**
 * restic's algorithm (`restic forget`): each rule counts for itself, whether or not another keeps the archive, too. A rule that has
 * a count left at the oldest archive keeps it. `within` is measured from the newest archive that is not in the future, and
 * days, weeks, months and years are those of the calendar.
 */
export function keepLikeRestic<T extends TimedCandidate>(input: RetentionInput<T>): Kept<T> {
  const { archives, policy } = input;
  const kept: Kept<T> = new Map();
  const keep = (archive: T, reason: KeepReason): void => {
    const reasons = kept.get(archive);
    if (reasons === undefined) kept.set(archive, [reason]);
    else reasons.push(reason);
  };
  const periods = new Periods(input.zone);
  for (const rule of activeRules(policy)) {
    if (rule === 'within') keepYounger(input, policy.within ?? '', keep);
    else keepPeriods(archives, rule, policy[rule] ?? 0, periods, keep);
  }
  return kept;
}

function keepYounger<T extends TimedCandidate>(
  { archives, zone, nowMs }: RetentionInput<T>,
  interval: string,
  keep: (archive: T, reason: KeepReason) => void,
): void {
  const newest = archives.find((archive) => archive.timeMs < nowMs);
  const bound = before(newest?.timeMs ?? 0, parseInterval(interval), zone);
  for (const archive of archives) if (archive.timeMs > bound) keep(archive, { rule: 'within', interval });
}

/** The moment that lies so far before, by the calendar where the unit is a day or more. */
function before(ms: number, interval: Interval, zone: TimeZone): number {
  const { count, unit } = interval;
  if (unit === 'H' || unit === 'M' || unit === 'S') return ms - intervalMs(interval);
  const local = zone.local(ms);
  const back = {
    y: { ...local, year: local.year - count },
    m: { ...local, month: local.month - count },
    w: { ...local, day: local.day - 7 * count },
    d: { ...local, day: local.day - count },
  } as const;
  return zone.moment(back[unit]) + (ms - Math.floor(ms / 1000) * 1000);
}

function keepPeriods<T extends TimedCandidate>(
  archives: readonly T[],
  rule: CountRule,
  most: number,
  periods: Periods,
  keep: (archive: T, reason: KeepReason) => void,
): void {
  const oldest = archives.at(-1);
  let last: string | undefined;
  let count = 0;
  for (const archive of archives) {
    if (most !== KEEP_ALL && count === most) return;
    const period = periods.of(rule, archive);
    const isNew = period !== last;
    if (!isNew && archive !== oldest) continue;
    last = period;
    count += 1;
    keep(archive, countedReason(rule, count, most, !isNew));
  }
}
