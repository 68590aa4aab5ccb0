import { CairnError } from '../errors.ts';
import { PRUNE_GUARD } from '../limits.ts';
import { becauseText, type Because } from '../log/because.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import type { Candidate } from '../retention/candidate.ts';
import { TimeZone } from '../retention/local-time.ts';
import { assertPolicy, describePolicy, type RetentionPolicy } from '../retention/policy.ts';
import type { KeepReason } from '../retention/reason.ts';
import { retain } from '../retention/retain.ts';

/** Which time of an archive retention goes by: when the store received it, or when its backup started by its host's clock. */
export type RetentionTime = 'received' | 'started';

/** Which archives a prune keeps. */
export interface PruneOptions {
  readonly policy: RetentionPolicy;
  /** Only these series. Default: all, each by itself. */
  readonly series?: readonly string[];
  /** Where days, weeks and months begin: a name of the IANA database. Default: `UTC`. */
  readonly timeZone?: string;
  /** Default: `received`, which no host that backs up can choose. `started` is for archives that were copied here. */
  readonly time?: RetentionTime;
  /** Most that may be removed of a series at once, from 0 to 1, where it has more than a few archives. Default: one half. */
  readonly maxShare?: number;
}

/** One archive in a plan. */
export interface PruneVerdict {
  readonly archive: ArchiveRecord;
  /** The time that decided, milliseconds since 1970; undefined when the store did not tell it. */
  readonly timeMs: number | undefined;
  /** Why it is kept; empty when it is to be removed. */
  readonly reasons: readonly KeepReason[];
}

/** What a prune would do with one series. */
export interface SeriesPlan {
  readonly series: string;
  /** Live archives of the series, newest first. */
  readonly verdicts: readonly PruneVerdict[];
  /** How many are to be removed. */
  readonly removed: number;
  /** More would go than is allowed at once: the plan cannot be applied. */
  readonly exceeds: boolean;
}

/** What a prune would do: it is decided, and nothing is done. */
export interface PrunePlan {
  readonly policy: RetentionPolicy;
  readonly timeZone: string;
  readonly time: RetentionTime;
  readonly maxShare: number;
  /** By name. */
  readonly series: readonly SeriesPlan[];
}

/** What a prune did. */
export interface PruneReport {
  /** What was deleted, newest first within each series. It can be brought back until its grace is over. */
  readonly removed: readonly ArchiveRecord[];
  readonly kept: number;
}

/**
 * Decides which archives a policy keeps, series by series. Appends nothing. Rejects with `USAGE` for a policy, time zone or share that
 * cannot be, with `ARCHIVE_MISSING` for a series without archives, and with `RIGHT_MISSING` when the key may not prune.
 */
export async function planPrune(access: RepositoryAccess, options: PruneOptions): Promise<PrunePlan> {
  access.refuseWriteOnly('prune');
  const { policy, timeZone = 'UTC', time = 'received', maxShare = PRUNE_GUARD.share } = options;
  if (!(maxShare >= 0 && maxShare <= 1)) {
    throw new CairnError('USAGE', `not a share of a series: ${maxShare}`, { hint: 'Give a number from 0 to 1.' });
  }
  // Also where there is no archive yet: a job that is set up wrongly should not wait for its first one to say so.
  assertPolicy(policy);
  const zone = new TimeZone(timeZone);
  await access.log.refresh();
  const nowMs = Number(access.environment.clock.nowNs()) / 1e6;
  const series = chosenSeries(access.log.state, options.series).map(([name, archives]): SeriesPlan => {
    const candidates = archives.map((archive) => ({ ...candidateOf(archive, time), archive }));
    const verdicts = retain(candidates, { policy, timeZone: zone, nowMs }).map((verdict) => ({
      archive: verdict.archive.archive,
      timeMs: verdict.archive.timeMs,
      reasons: verdict.reasons,
    }));
    const removed = verdicts.filter(isRemoval).length;
    return { series: name, verdicts, removed, exceeds: exceeds(verdicts, maxShare) };
  });
  return { policy, timeZone, time, maxShare, series };
}

/**
 * Deletes what the plan removes, in one entry of the log, and resolves once that is durable. Rejects with `SHARE_EXCEEDED` when more of
 * a series would go than is allowed, and with `PLAN_STALE` when an archive of the plan was deleted or protected meanwhile.
 * Archives that came in since are no reason: the plan removes none of them.
 */
export async function applyPrune(
  access: RepositoryAccess,
  plan: PrunePlan,
  { by }: Pick<Because, 'by'> = {},
): Promise<PruneReport> {
  access.refuseWriteOnly('prune');
  refuseExcess(plan);
  const verdicts = plan.series.flatMap((series) => series.verdicts);
  const removed = verdicts.filter(isRemoval).map(({ archive }) => archive);
  if (removed.length > 0) {
    await access.log.refresh();
    await access.log.append((state) => {
      refuseStale(state, verdicts);
      const because = { reason: `prune: ${describePolicy(plan.policy)}`, ...(by === undefined ? {} : { by }) };
      return { kind: 'DELETE', archives: removed.map(({ id }) => id), reason: becauseText(because) };
    });
  }
  return { removed, kept: verdicts.length - removed.length };
}

const isRemoval = ({ reasons }: PruneVerdict): boolean => reasons.length === 0;

/** Live archives by series, by name of the series. */
function chosenSeries(state: LogState, asked: readonly string[] | undefined): [string, ArchiveRecord[]][] {
  const all = new Map<string, ArchiveRecord[]>();
  for (const archive of state.live()) {
    const { series } = archive.descriptor;
    const archives = all.get(series);
    if (archives === undefined) all.set(series, [archive]);
    else archives.push(archive);
  }
  const missing = asked?.find((series) => !all.has(series));
  if (missing !== undefined) {
    throw new CairnError('ARCHIVE_MISSING', `there is no archive of the series ${JSON.stringify(missing)}`, {
      hint: 'See which series there are with `cairn list`.',
    });
  }
  return [...all].filter(([series]) => asked?.includes(series) !== false).toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function candidateOf(archive: ArchiveRecord, time: RetentionTime): Candidate {
  const { seq, descriptor, protect } = archive;
  return { timeMs: retentionTimeMs(archive, time), seq, complete: descriptor.complete, protect };
}

/** The time that retention goes by, milliseconds since 1970; undefined when the store did not tell it. */
function retentionTimeMs({ receivedMs, descriptor }: ArchiveRecord, time: RetentionTime): number | undefined {
  if (time === 'started') return Number(descriptor.startNs) / 1e6;
  return receivedMs === 0 ? undefined : receivedMs;
}

/** True when a mistake or an attack is likely: too large a part goes, or everything that is whole. */
function exceeds(verdicts: readonly PruneVerdict[], maxShare: number): boolean {
  if (maxShare === 1) return false;
  const removed = verdicts.filter(isRemoval);
  const isLarge = verdicts.length > PRUNE_GUARD.archives && removed.length > maxShare * verdicts.length;
  const whole = verdicts.filter(({ archive }) => archive.descriptor.complete);
  return isLarge || (whole.length > 0 && whole.every(isRemoval));
}

function refuseExcess({ series, maxShare }: PrunePlan): void {
  const excess = series.find((one) => one.exceeds);
  if (excess === undefined) return;
  const { series: name, removed, verdicts } = excess;
  const isLarge = removed > maxShare * verdicts.length && verdicts.length > PRUNE_GUARD.archives;
  const bound = isLarge ? `more than ${Math.round(maxShare * 100)} %` : 'all that are complete';
  throw new CairnError(
    'SHARE_EXCEEDED',
    `this would remove ${removed} of the ${verdicts.length} archives of ${JSON.stringify(name)}, ${bound}`,
    {
      hint: 'Look at the plan with `--dry-run`. If it is what you want, allow it with `--max-share 100`.',
      details: { series: name, removed, archives: verdicts.length },
    },
  );
}

function refuseStale(state: LogState, verdicts: readonly PruneVerdict[]): void {
  const changed = verdicts.find((verdict) => {
    const now = state.archives.get(verdict.archive.id);
    return now?.state !== 'live' || (isRemoval(verdict) && now.protect);
  });
  if (changed === undefined) return;
  throw new CairnError('PLAN_STALE', `${changed.archive.name} was deleted or protected since the plan was made`, {
    hint: 'Make the plan again.',
  });
}
