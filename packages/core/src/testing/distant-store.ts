import type { ObjectKey, ObjectKind } from '../ids.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import type { Timer } from '../ports/timer.ts';

export interface Distance {
  readonly timer: Timer;
  /** Milliseconds for each way. */
  readonly delayMs: number;
}

/** A decorator that puts a store far away: each call takes the time to get there and back, and calls in flight share it. */
export class DistantStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #distance: Distance;
  readonly #calls: string[] = [];
  #inFlight = 0;
  #mostInFlight = 0;
  #bytesInFlight = 0;
  #mostBytesInFlight = 0;

  constructor(inner: ObjectStore, distance: Distance) {
    this.#inner = inner;
    this.#distance = distance;
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

  /** Every call so far, as `put packs`. */
  get calls(): readonly string[] {
    return this.#calls;
  }

  get mostInFlight(): number {
    return this.#mostInFlight;
  }

  /** Bytes of bodies that were on their way to the store at once. */
  get mostBytesInFlight(): number {
    return this.#mostBytesInFlight;
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    this.#bytesInFlight += body.length;
    this.#mostBytesInFlight = Math.max(this.#mostBytesInFlight, this.#bytesInFlight);
    try {
      await this.#thereAndBack(`put ${key.kind}`, () => this.#inner.put(key, body, options));
    } finally {
      this.#bytesInFlight -= body.length;
    }
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    return await this.#thereAndBack(`get ${key.kind}`, () => this.#inner.get(key, options));
  }

  async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
    await this.#thereAndBack(`list ${kind}`, async () => undefined);
    yield* this.#inner.list(kind, options);
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    await this.#thereAndBack(`delete ${key.kind}`, () => this.#inner.delete(key, options));
  }

  async #thereAndBack<T>(call: string, work: () => Promise<T>): Promise<T> {
    const { timer, delayMs } = this.#distance;
    this.#calls.push(call);
    this.#inFlight += 1;
    this.#mostInFlight = Math.max(this.#mostInFlight, this.#inFlight);
    try {
      await timer.wait(delayMs);
      return await work();
    } finally {
      await timer.wait(delayMs);
      this.#inFlight -= 1;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}
