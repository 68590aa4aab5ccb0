import { invariant } from '../errors.ts';
import type { Clock } from '../ports/environment.ts';
import type { Timer } from '../ports/timer.ts';
import { throwIfCancelled } from './contract.ts';

/** Bytes granted at once at most: what one caller waits for another. */
const PIECE_BYTES = 16 * 1024;
/** Milliseconds of unused rate that may be made up for. */
const BURST_MS = 100;

/** Bytes for each second, at least 1; or what tells it now, undefined while there is no limit. */
export type Rate = number | (() => number | undefined);

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * A token bucket: grants so many bytes for each second, and no more than a tenth of a second's worth at once after a pause.
 * Callers take turns piece by piece, so that a small transfer does not wait for a large one to end.
 */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #queue: Waiting[] = [];
  #granting = false;
  #tokens: number;
  #countedMs: number;

  constructor(rate: Rate, clock: Clock, timer: Timer) {
    this.#rate = rate;
    this.#clock = clock;
    this.#timer = timer;
    this.#tokens = mostOf(this.#bytesPerS);
    this.#countedMs = clock.monotonicMs();
  }

  /** Infinite while there is no limit. */
  get #bytesPerS(): number {
    const rate = typeof this.#rate === 'number' ? this.#rate : (this.#rate() ?? Infinity);
    invariant(rate >= 1, 'a rate is at least one byte for each second');
    return rate;
  }

  /** Resolves when so many bytes may move. Rejects with `CANCELLED` when the signal fires before. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    for (let left = bytes; left > 0;) {
      const piece = Math.min(left, pieceOf(this.#bytesPerS));
      await this.#takePiece(piece, signal);
      left -= piece;
    }
  }

  #takePiece(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    throwIfCancelled(signal, 'wait for the bandwidth limit');
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        const at = this.#queue.indexOf(waiting);
        if (at >= 0) this.#queue.splice(at, 1);
        try {
          throwIfCancelled(signal, 'wait for the bandwidth limit');
        } catch (error) {
          reject(error);
        }
      };
      const waiting: Waiting = {
        bytes,
        grant() {
          signal?.removeEventListener('abort', cancel);
          resolve();
        },
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.#queue.push(waiting);
      if (!this.#granting) void this.#grantAll();
    });
  }

  async #grantAll(): Promise<void> {
    this.#granting = true;
    for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
      const rate = this.#bytesPerS;
      this.#refill(rate);
      // A piece of a faster time may be more than this one grants at once: it is owed.
      const needed = Math.min(next.bytes, mostOf(rate));
      if (this.#tokens < needed) {
        await this.#timer.wait(Math.ceil(((needed - this.#tokens) * 1000) / rate));
        continue;
      }
      if (rate !== Infinity) this.#tokens -= next.bytes;
      this.#queue.shift();
      next.grant();
    }
    this.#granting = false;
  }

  #refill(rate: number): void {
    const nowMs = this.#clock.monotonicMs();
    const earned = rate === Infinity ? 0 : ((nowMs - this.#countedMs) * rate) / 1000;
    this.#tokens = rate === Infinity ? Infinity : Math.min(mostOf(rate), this.#tokens + earned);
    this.#countedMs = nowMs;
  }
}

/** Bytes that may be granted at once after a pause. */
function mostOf(bytesPerS: number): number {
  return Math.max(1, (bytesPerS * BURST_MS) / 1000);
}

function pieceOf(bytesPerS: number): number {
  return Math.max(1, Math.floor(Math.min(PIECE_BYTES, mostOf(bytesPerS))));
}
