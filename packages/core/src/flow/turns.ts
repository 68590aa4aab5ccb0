import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock } from '../ports/environment.ts';

/** Milliseconds that synchronous work may go on before messages from other threads and the store are let in. */
const TURN_MS = 8;

/** Reminds long loops to let others in. */
export class Turns {
  private readonly clock: Clock;
  private begunMs: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.begunMs = clock.monotonicMs();
  }

  /** Undefined while there is time left; otherwise a promise to wait for. */
  yieldIfDue(): Promise<void> | undefined {
    if (this.clock.monotonicMs() - this.begunMs < TURN_MS) return undefined;
    return this.yield();
  }

  private async yield(): Promise<void> {
    await nextTurn();
    this.begunMs = this.clock.monotonicMs();
  }
}
