import type { TimedCandidate } from './candidate.ts';
import type { LocalTime, TimeZone } from './local-time.ts';
import { periodOf } from './period.ts';
import type { CountRule, RetentionPolicy } from './policy.ts';
import type { KeepReason } from './reason.ts';

/** What an algorithm decides on. */
export interface RetentionInput<T extends TimedCandidate> {
  /** Archives of one series, newest first. */
  readonly archives: readonly T[];
  readonly policy: RetentionPolicy;
  readonly zone: TimeZone;
  /** Milliseconds since 1970, UTC. */
  readonly nowMs: number;
}

/** The archives that are kept, each with its reasons. */
export type Kept<T> = Map<T, KeepReason[]>;

/** Tells the periods of archives, and works out the local time of each only once. */
export class Periods {
  private readonly zone: TimeZone;
  private readonly locals = new Map<TimedCandidate, LocalTime>();

  constructor(zone: TimeZone) {
    this.zone = zone;
  }

  /** The archive's period under that rule, as text. Under `last` each archive is a period of its own. */
  of(rule: CountRule, archive: TimedCandidate): string {
    if (rule === 'last') return String(archive.seq);
    let local = this.locals.get(archive);
    if (local === undefined) {
      local = this.zone.local(archive.timeMs);
      this.locals.set(archive, local);
    }
    return periodOf(rule, local);
  }
}
