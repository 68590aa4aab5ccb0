import type { Clock } from '../ports/environment.ts';
import type { Timer } from '../ports/timer.ts';

interface Waiting {
  readonly atMs: number;
  readonly resolve: () => void;
}

/** Time that passes only while everybody waits for it: hours of waiting take no time, and always the same way. */
export class VirtualTime implements Clock, Timer {
  #nowMs = 0;
  #waiting: Waiting[] = [];
  #ticking = false;

  monotonicMs(): number {
    return this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.#nowMs * 1e6));
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = { atMs: this.#nowMs + ms, resolve };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        resolve();
      });
      this.#tick();
    });
  }

  /** Lets everything run that can, then goes on to the next moment that somebody waits for. */
  #tick(): void {
    if (this.#ticking) return;
    this.#ticking = true;
    setImmediate(() => {
      this.#ticking = false;
      const next = this.#waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) return;
      this.#waiting = this.#waiting.filter((one) => one !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.resolve();
      if (this.#waiting.length > 0) this.#tick();
    });
  }
}
