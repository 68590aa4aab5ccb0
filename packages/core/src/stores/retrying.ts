import { CairnError, isCairnError } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { RETRY } from '../limits.ts';
import type { Clock, Random } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import type { Timer } from '../ports/timer.ts';
import { objectExists, objectLabel, throwIfCancelled } from './contract.ts';

/** What a caller hears before it is tried again. */
export interface RetryNotice {
  /** Why the last attempt failed. */
  readonly error: CairnError;
  /** Milliseconds until the next one. */
  readonly delayMs: number;
}

/** How long calls are tried again, and who hears of it. */
export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly timer: Timer;
  /** Milliseconds for which one call goes on after its first failure; `RETRY.forMs` unless given. */
  readonly forMs?: number;
  readonly onRetry?: (notice: RetryNotice) => void;
}

/**
 * A decorator that repeats what failed because the store did not answer, and nothing else: errors whose row in the table says
 * that they may be repeated at once. It waits longer each time, by a random part, so that many clients do not come back
 * together.
 *
 * A put that got no answer may have been done. It is decided by reading the object back: the same bytes are success, other
 * bytes are `OBJECT_EXISTS`. Who may write and not read cannot compare; then the name decides, where it is the hash of the bytes.
 * Rejects like the store, once the time is over with what the last attempt rejected with, and with `CANCELLED` at once when the
 * signal fires.
 */
export class RetryingStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #options: RetryOptions;

  constructor(inner: ObjectStore, options: RetryOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get description(): string {
    return this.#inner.description;
  }

  get keepsLog(): boolean | undefined {
    return this.#inner.keepsLog;
  }

  get localPath(): string | undefined {
    return this.#inner.localPath;
  }

  async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
    const what = `put ${objectLabel(key)}`;
    let undecided = false;
    await this.#persist(what, options.signal, async () => {
      if (undecided && (await this.#isOurs(key, body, options)) === true) return;
      try {
        await this.#inner.put(key, body, options);
      } catch (error) {
        // An earlier attempt of this very call may arrive late, and win.
        if (undecided && isCairnError(error, 'OBJECT_EXISTS') && (await this.#wonLate(key, body, options))) return;
        undecided ||= isPassing(error);
        throw error;
      }
    });
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    return await this.#persist(`get ${objectLabel(key)}`, options.signal, () => this.#inner.get(key, options));
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    // A listing that broke off starts again; what was given already is not given twice.
    const given = new Set<string>();
    const patience = new Patience(this.#options, `list ${kind}`, options.signal);
    for (;;) {
      const before = given.size;
      try {
        for await (const info of this.#inner.list(kind, options)) {
          if (given.has(info.name)) continue;
          given.add(info.name);
          yield info;
        }
        return;
      } catch (error) {
        if (given.size > before) patience.renew();
        await patience.afterFailure(error);
      }
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    await this.#persist(`delete ${objectLabel(key)}`, options.signal, () => this.#inner.delete(key, options));
  }

  async #persist<T>(what: string, signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    const patience = new Patience(this.#options, what, signal);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await patience.afterFailure(error);
      }
    }
  }

  /**
   * True when the object that is there is the one to be put. Rejects with `OBJECT_EXISTS` when it is another one; undefined when
   * there is none, or this client may not look.
   */
  async #isOurs(key: ObjectKey, body: Uint8Array, options: CallOptions): Promise<true | undefined> {
    let found: Uint8Array;
    try {
      found = await this.#inner.get(key, options);
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING') || isCairnError(error, 'STORE_DENIED')) return undefined;
      throw error;
    }
    if (Buffer.compare(found, body) === 0) return true;
    throw objectExists(key, this.description);
  }

  /** Whether the object that came into the way is the one that an earlier attempt put. */
  async #wonLate(key: ObjectKey, body: Uint8Array, options: CallOptions): Promise<boolean> {
    return (await this.#isOurs(key, body, options)) ?? (key.kind === 'packs' || key.kind === 'index');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

/** True for what may pass without anybody doing anything. */
function isPassing(error: unknown): error is CairnError {
  return isCairnError(error) && error.retry === 'now';
}

/** How long one call still waits for a store that does not answer. */
class Patience {
  readonly #options: RetryOptions;
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;
  #sinceMs: number | undefined;

  constructor(options: RetryOptions, what: string, signal: AbortSignal | undefined) {
    this.#options = options;
    this.#what = what;
    this.#signal = signal;
  }

  /** Something was achieved: the time counts anew. */
  renew(): void {
    this.#failures = 0;
    this.#sinceMs = undefined;
  }

  /** Resolves when it is time for the next attempt. Rejects when there shall be none. */
  async afterFailure(error: unknown): Promise<void> {
    if (!isPassing(error)) throw error;
    throwIfCancelled(this.#signal, this.#what);
    const { clock, timer, forMs = RETRY.forMs, onRetry } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    this.#failures += 1;
    const delayMs = this.#delayMs();
    if (nowMs + delayMs - this.#sinceMs > forMs) throw this.#givenUp(error, nowMs - this.#sinceMs);
    onRetry?.({ error, delayMs });
    await timer.wait(delayMs, this.#signal);
    throwIfCancelled(this.#signal, this.#what);
  }

  /** Between half and all of a bound that doubles with each failure. */
  #delayMs(): number {
    const bound = Math.min(RETRY.mostDelayMs, RETRY.firstDelayMs * 2 ** (this.#failures - 1));
    const bytes = this.#options.random.bytes(4);
    const share = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) / 2 ** 32;
    return Math.round((bound * (1 + share)) / 2);
  }

  #givenUp(error: CairnError, afterMs: number): CairnError {
    // With no time to try again there is nothing to say beyond what happened.
    if (this.#failures === 1) return error;
    const { code, message, hint } = error;
    const tried = `tried ${this.#failures} times in ${Math.round(afterMs / 1000)} s`;
    return new CairnError(code, `${message} (${tried})`, { ...(hint === undefined ? {} : { hint }), cause: error });
  }
}
