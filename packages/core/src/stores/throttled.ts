import type { ObjectKey, ObjectKind } from '../ids.ts';
import type { Clock } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import type { Timer } from '../ports/timer.ts';
import { RateLimiter, type Rate } from './rate-limiter.ts';

/** How fast a store may be used, by which clock. */
export interface ThrottleOptions {
  readonly clock: Clock;
  readonly timer: Timer;
  /** Bytes for each second that all puts together may send. Absent: no limit. A function is asked each time. */
  readonly uploadBytesPerS?: Rate;
  /** Bytes for each second that all gets together may receive. Absent: no limit. A function is asked each time. */
  readonly downloadBytesPerS?: Rate;
}

/**
 * A decorator that limits the bandwidth of objects, in each direction for all calls together. A store that asks for its pace is slowed
 * down piece by piece; any other moves an object at its own speed, and the call ends when the object's time is over.
 */
export class ThrottledStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #upload: RateLimiter | undefined;
  readonly #download: RateLimiter | undefined;

  constructor(inner: ObjectStore, { clock, timer, uploadBytesPerS, downloadBytesPerS }: ThrottleOptions) {
    const limiter = (rate: Rate | undefined): RateLimiter | undefined =>
      rate === undefined ? undefined : new RateLimiter(rate, clock, timer);
    this.#inner = inner;
    this.#upload = limiter(uploadBytesPerS);
    this.#download = limiter(downloadBytesPerS);
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
    const meter = new Meter(this.#upload, options);
    await this.#inner.put(key, body, meter.options(options));
    await meter.settle(body.length);
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    const meter = new Meter(this.#download, options);
    const bytes = await this.#inner.get(key, meter.options(options));
    await meter.settle(bytes.length);
    return bytes;
  }

  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.#inner.list(kind, options);
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    await this.#inner.delete(key, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

/** What one call has moved, by its own account. */
class Meter {
  readonly #limiter: RateLimiter | undefined;
  readonly #call: CallOptions;
  #paced = 0;

  constructor(limiter: RateLimiter | undefined, call: CallOptions) {
    this.#limiter = limiter;
    this.#call = call;
  }

  options<T extends CallOptions>(options: T): T {
    const limiter = this.#limiter;
    if (limiter === undefined) return options;
    const pace = async (bytes: number): Promise<void> => {
      this.#paced += bytes;
      await limiter.take(bytes, this.#call.signal);
      await this.#call.pace?.(bytes);
    };
    return { ...options, pace };
  }

  /** Waits for what the store did not ask for. */
  async settle(bytes: number): Promise<void> {
    if (this.#limiter === undefined || bytes <= this.#paced) return;
    await this.#limiter.take(bytes - this.#paced, this.#call.signal);
  }
}
