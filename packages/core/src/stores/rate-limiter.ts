import { invariant } from '../errors.ts';
import type { Clock } from '../ports/environment.ts';
import type { Timer } from '../ports/timer.ts';
import { throwIfCancelled } from './contract.ts';

/** Bytes granted at once at most: what one caller waits for another. */
const PIECE_BYTES = 16 * 1024;
/** Milliseconds of unused rate that may be made up for. */
const BURST_MS = 100;

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * A token bucket: grants so many bytes for each second, and no more than a tenth of a second's worth at once after a pause.
 * Callers take turns piece by piece, so that a small transfer does not wait for a large one to end.
 */
export class RateLimiter {
  readonly #bytesPerS: number;
  readonly #clock: Clock;
  readonly #timer: Timer;
  readonly #piece: number;
  readonly #most: number;
  readonly #queue: Waiting[] = [];
  #granting = false;
  #tokens: number;
  #countedMs: number;

  /** @param bytesPerS at least 1. */
  constructor(bytesPerS: number, clock: Clock, timer: Timer) {
    invariant(bytesPerS >= 1, 'a rate is at least one byte for each second');
    this.#bytesPerS = bytesPerS;
    this.#clock = clock;
    this.#timer = timer;
    this.#most = Math.max(1, (bytesPerS * BURST_MS) / 1000);
    this.#piece = Math.max(1, Math.floor(Math.min(PIECE_BYTES, this.#most)));
    this.#tokens = this.#most;
    this.#countedMs = clock.monotonicMs();
  }

  /** Resolves when so many bytes may move. Rejects with `CANCELLED` when the signal fires before. */
  async take(bytes: number, signal?: AbortSignal): Promise<void> {
    for (let left = bytes; left > 0; left -= this.#piece) await this.#takePiece(Math.min(left, this.#piece), signal);
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
      this.#refill();
      if (this.#tokens < next.bytes) {
        await this.#timer.wait(Math.ceil(((next.bytes - this.#tokens) * 1000) / this.#bytesPerS));
        continue;
      }
      this.#tokens -= next.bytes;
      this.#queue.shift();
      next.grant();
    }
    this.#granting = false;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const earned = ((nowMs - this.#countedMs) * this.#bytesPerS) / 1000;
    this.#tokens = Math.min(this.#most, this.#tokens + earned);
    this.#countedMs = nowMs;
  }
}
