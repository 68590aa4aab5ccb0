import { formatDuration, type Environment, type Timer } from '@cairn/core';

import type { LimitsDefinition } from '../job-file/limits-schema.ts';
import { mayPass } from './outcome.ts';

const DEFAULT_RETRIES = 2;
const DEFAULT_WAIT_MS = 60_000;
const DEFAULT_BUDGET_MS = 3_600_000;

/** Tries again what failed for want of an answer: so often for each step, and within one budget of time for the whole run. */
export class Retries {
  private readonly most: number;
  private readonly firstWaitMs: number;
  private readonly timer: Timer;
  private readonly environment: Environment;
  private leftMs: number;

  constructor(limits: LimitsDefinition, environment: Environment, timer: Timer) {
    this.most = limits.retries ?? DEFAULT_RETRIES;
    this.firstWaitMs = limits['retry-wait'] ?? DEFAULT_WAIT_MS;
    this.leftMs = limits['retry-budget'] ?? DEFAULT_BUDGET_MS;
    this.environment = environment;
    this.timer = timer;
  }

  /** Does the work, and does it again as long as its error may pass. Rejects with what the last attempt rejected with. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, onRetry: (text: string) => void): Promise<T> {
    const { clock } = this.environment;
    let waitMs = this.firstWaitMs;
    let sinceMs: number | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        // The first attempt costs nothing of the budget: only what comes after it does.
        if (sinceMs !== undefined) this.leftMs -= clock.monotonicMs() - sinceMs;
        if (!mayPass(error) || attempt > this.most || this.leftMs < waitMs || signal.aborted) throw error;
        onRetry(
          `${error.message}; trying again in ${formatDuration(waitMs)}, ${this.most - attempt + 1} times at most`,
        );
        sinceMs = clock.monotonicMs();
        await this.timer.wait(waitMs, signal);
        if (signal.aborted) throw error;
        waitMs *= 2;
      }
    }
  }
}
