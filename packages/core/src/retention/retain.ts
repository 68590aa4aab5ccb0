import type { Kept } from './algorithm.ts';
import { keepLikeBorg } from './borg.ts';
import { newestFirst, type Candidate, type TimedCandidate } from './candidate.ts';
import { intervalMs, parseInterval } from './interval.ts';
import { TimeZone } from './local-time.ts';
import { assertPolicy, type RetentionPolicy } from './policy.ts';
import { keepLikeProxmox } from './proxmox.ts';
import type { KeepReason } from './reason.ts';
import { keepLikeRestic } from './restic.ts';

/** What becomes of one archive. */
export interface Verdict<T> {
  readonly archive: T;
  /** Why it is kept; empty when it is to be removed. */
  readonly reasons: readonly KeepReason[];
}

export interface RetentionOptions {
  readonly policy: RetentionPolicy;
  /** Where days, weeks and months begin: a name of the IANA database, or what was made of one. */
  readonly timeZone: string | TimeZone;
  /** Milliseconds since 1970, UTC. */
  readonly nowMs: number;
}

const ALGORITHM = { borg: keepLikeBorg, restic: keepLikeRestic, proxmox: keepLikeProxmox } as const;

/**
 * Decides about the archives of one series, in any order; gives them newest first. Rules apply to complete archives that are not
 * protected. A protected archive stays and takes no place from others. An incomplete one is never what a rule keeps: it stays as long as
 * no complete archive is newer, or while `within` covers it. Of what has no known time, nothing goes. Rejects with `USAGE`.
 */
export function retain<T extends Candidate>(archives: readonly T[], options: RetentionOptions): Verdict<T>[] {
  const { policy, nowMs } = options;
  assertPolicy(policy);
  const sorted = archives.toSorted(newestFirst);
  const counting = sorted.filter((archive): archive is T & TimedCandidate => isTimed(archive) && counts(archive));
  const newestComplete = sorted.find((archive) => archive.complete && isTimed(archive));
  const zone = typeof options.timeZone === 'string' ? new TimeZone(options.timeZone) : options.timeZone;
  const kept: Kept<T> = ALGORITHM[policy.algorithm ?? 'borg']({ archives: counting, policy, zone, nowMs });
  return sorted.map((archive) => ({
    archive,
    reasons: kept.get(archive) ?? besideRules(archive, newestComplete, policy, nowMs),
  }));
}

const isTimed = (archive: Candidate): boolean => archive.timeMs !== undefined;
const counts = ({ complete, protect }: Candidate): boolean => complete && !protect;

/** Reasons that are not those of the algorithm. */
function besideRules(
  archive: Candidate,
  newestComplete: Candidate | undefined,
  { within }: RetentionPolicy,
  nowMs: number,
): KeepReason[] {
  const { timeMs, complete, protect } = archive;
  if (protect) return [{ rule: 'protected' }];
  if (timeMs === undefined) return [{ rule: 'unknown-time' }];
  if (complete) return [];
  if (within !== undefined && timeMs > nowMs - intervalMs(parseInterval(within))) {
    return [{ rule: 'within', interval: within }];
  }
  const isNewer = newestComplete === undefined || newestFirst(archive, newestComplete) < 0;
  return isNewer ? [{ rule: 'incomplete' }] : [];
}
