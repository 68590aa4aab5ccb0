import { CairnError, PANEL, type Clock } from '@cairn/core';

const MINUTE_MS = 60_000;

/** What a subject may still ask for, and when that was so. */
interface Allowance {
  readonly left: number;
  readonly atMs: number;
}

/**
 * Bounds how much anybody asks for in a time: each subject has the requests of a minute, gets them back bit by bit, and has to wait when
 * they are used up. Of those who asked longest ago nothing is remembered: after a minute they have all of it again anyway.
 */
export class RateLimit {
  private readonly clock: Clock;
  private readonly allowances = new Map<string, Allowance>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Counts a request of `subject`. Rejects with `TOO_MANY_REQUESTS`. */
  count(subject: string, perMinute: number): void {
    const atMs = this.clock.monotonicMs();
    const before = this.allowances.get(subject) ?? { left: perMinute, atMs };
    const left = Math.min(perMinute, before.left + ((atMs - before.atMs) * perMinute) / MINUTE_MS);
    const isMet = left >= 1;
    this.allowances.delete(subject);
    this.allowances.set(subject, { left: isMet ? left - 1 : left, atMs });
    for (const oldest of this.allowances.keys()) {
      if (this.allowances.size <= PANEL.counted) break;
      this.allowances.delete(oldest);
    }
    if (isMet) return;
    throw new CairnError('TOO_MANY_REQUESTS', `more than ${perMinute} requests in a minute`, {
      hint: 'Ask less often; `requests-per-minute` in the panel’s file says how often an account may.',
      details: { retry_after_s: Math.ceil(((1 - left) * MINUTE_MS) / perMinute / 1_000) },
    });
  }
}
