import {
  CairnError,
  isCairnError,
  systemErrorCode,
  type ByteRange,
  type CallOptions,
  type Clock,
  type ObjectInfo,
  type ObjectStore,
  type Timer,
} from '@cairn/core';

type ObjectKey = Parameters<ObjectStore['get']>[0];
type ObjectKind = Parameters<ObjectStore['list']>[0];

/** Milliseconds before the first repetition, and the most between two. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** Once the time of an outage is over, each read is one attempt of so many milliseconds: enough to connect over ssh. */
const LAST_ATTEMPT_MS = 10_000;

export interface PatienceOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  /** Hears once when the store stops answering, and once when it answers again. */
  readonly onOutage: (text: string) => void;
}

/**
 * A store that waits when it cannot be reached: reading a mounted file goes on when the repository is back. Reads only; what
 * would be written fails at once. Reads reject with what the store said last when it stays away longer than it may, and with
 * `STORE_UNREACHABLE` when it said nothing: a server that hangs keeps nobody waiting for longer than one that is gone.
 */
export class PatientStore implements ObjectStore {
  readonly description: string;
  readonly keepsLog: boolean | undefined;
  private readonly store: ObjectStore;
  private readonly options: PatienceOptions;
  /** Since when it has not answered, by the monotonic clock; undefined while it does. */
  private awayMs: number | undefined;
  private waitMs = 0;

  constructor(store: ObjectStore, options: PatienceOptions) {
    this.store = store;
    this.options = options;
    this.description = store.description;
    this.keepsLog = store.keepsLog;
  }

  /**
   * From now on a read waits for so long, milliseconds; with 0, also those that wait already fail. At first nothing waits: who
   * starts wants to know at once.
   */
  waitUpTo(waitMs: number): void {
    this.waitMs = waitMs;
  }

  /** What is not there is asked for with `get`, and waited for. */
  localFile(key: ObjectKey): string | undefined {
    return this.store.localFile?.(key);
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    await this.store.put(key, body, options);
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    return await this.patiently(options?.signal, async (signal) => {
      return await this.store.get(key, signal === undefined ? options : { ...options, signal });
    });
  }

  async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
    const listed = await this.patiently(options?.signal, async (signal) => {
      const found: ObjectInfo[] = [];
      const how = signal === undefined ? options : { ...options, signal };
      for await (const info of this.store.list(kind, how)) found.push(info);
      return found;
    });
    yield* listed;
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    await this.store.delete(key, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }

  private async patiently<T>(
    stopped: AbortSignal | undefined,
    read: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const { clock, timer, onOutage } = this.options;
    const beganMs = clock.monotonicMs();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        const result = await this.attempt(beganMs, stopped, read);
        if (this.awayMs !== undefined) onOutage(`${this.description} answers again`);
        this.awayMs = undefined;
        return result;
      } catch (error) {
        if (!isOutage(error) || this.waitMs === 0) throw error;
        if (this.awayMs === undefined) onOutage(`${error.message}; waiting for it`);
        this.awayMs ??= beganMs;
        const leftMs = this.leftMs(this.awayMs);
        if (leftMs <= 0) throw error;
        await timer.wait(Math.min(pauseMs, leftMs));
      }
    }
  }

  /** One attempt, which lasts no longer than the read may wait. */
  private async attempt<T>(
    beganMs: number,
    stopped: AbortSignal | undefined,
    read: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    if (this.waitMs === 0) return await read(stopped);
    const leftMs = this.leftMs(this.awayMs ?? beganMs);
    const timeMs = Math.ceil(leftMs > 0 ? leftMs : Math.min(LAST_ATTEMPT_MS, this.waitMs));
    const overdue = new AbortController();
    const settled = new AbortController();
    const late = new Promise<never>((_, reject) => {
      void this.options.timer.wait(timeMs, settled.signal).then(() => {
        // Nearly always: an error that nobody hears of would be made for each read.
        if (settled.signal.aborted) return;
        overdue.abort();
        const seconds = Math.ceil(timeMs / 1000);
        reject(new CairnError('STORE_UNREACHABLE', `${this.description} gave no answer within ${seconds} s`));
      });
    });
    const signal = stopped === undefined ? overdue.signal : AbortSignal.any([stopped, overdue.signal]);
    try {
      return await Promise.race([read(signal), late]);
    } finally {
      settled.abort();
    }
  }

  /** Counted from when it went away: the kernel asks again for what failed, and must not wait once more. */
  private leftMs(sinceMs: number): number {
    return this.waitMs - (this.options.clock.monotonicMs() - sinceMs);
  }
}

/** A disk that cannot read a place will not read it later; a folder that is gone may come back. */
function isOutage(error: unknown): error is CairnError {
  if (isCairnError(error, 'STORE_FAILED')) return systemErrorCode(error.cause) !== 'EIO';
  return isCairnError(error, 'STORE_UNREACHABLE');
}
