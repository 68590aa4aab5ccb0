import { CairnError, type Environment } from '@cairn/core';

/** Milliseconds for which a plan can be carried out: time enough to read it, and not so long that nobody remembers it. */
const HOLDS_MS = 15 * 60_000;
/** Plans that are kept; the oldest goes when there are more. */
const MOST_PLANS = 100;
const ID_BYTES = 16;

interface Shelved<T> {
  readonly repository: string;
  readonly plan: T;
  readonly untilMs: number;
}

/** A plan as it can be asked for again. */
export interface PlanTicket {
  readonly id: string;
  /** Until when it can be carried out, milliseconds since 1970. */
  readonly untilMs: number;
}

/**
 * Plans that were shown and wait for somebody to say yes. Each is carried out once at most: whoever takes one has it alone. They do
 * not outlast this process: what was planned before is planned again.
 */
export class PlanShelf<T> {
  private readonly environment: Environment;
  private readonly plans = new Map<string, Shelved<T>>();

  constructor(environment: Environment) {
    this.environment = environment;
  }

  put(repository: string, plan: T): PlanTicket {
    const id = Buffer.from(this.environment.random.bytes(ID_BYTES)).toString('hex');
    const untilMs = this.nowMs() + HOLDS_MS;
    this.plans.set(id, { repository, plan, untilMs });
    for (const oldest of this.plans.keys()) {
      if (this.plans.size <= MOST_PLANS) break;
      this.plans.delete(oldest);
    }
    return { id, untilMs };
  }

  /** Rejects with `PLAN_STALE` for one that was taken, is too old, or is for another repository. */
  take(repository: string, id: string): T {
    const shelved = this.plans.get(id);
    if (shelved?.repository === repository) {
      this.plans.delete(id);
      if (shelved.untilMs > this.nowMs()) return shelved.plan;
    }
    throw new CairnError('PLAN_STALE', 'there is no such plan: it was carried out already, or is too old', {
      hint: 'Make the plan again, and look at it.',
    });
  }

  private nowMs(): number {
    return Number(this.environment.clock.nowNs() / 1_000_000n);
  }
}
