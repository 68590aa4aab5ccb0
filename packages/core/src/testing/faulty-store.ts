import { CairnError } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';

export const STORE_OPERATIONS = ['put', 'get', 'list', 'delete'] as const;
export type StoreOperation = (typeof STORE_OPERATIONS)[number];

export interface Fault {
  /** Which call fails, counted from 1: among the calls of `operation`, or among all when that is absent. */
  readonly at: number;
  readonly operation?: StoreOperation;
  /** `before`: nothing was done. `after`: it was done, and only the answer is lost; a list breaks off after its items. */
  readonly when: 'before' | 'after';
  /** How many calls in a row fail from there; 1 unless given, `Infinity` for a store that is gone. */
  readonly times?: number;
  /** What the call rejects with; `STORE_FAILED` unless given. */
  readonly error?: (what: string) => Error;
}

/** A decorator for tests: counts the calls that reach a store and fails those that were chosen. */
export class FaultyStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #faults: readonly Fault[];
  readonly #counts: Record<StoreOperation, number> = { put: 0, get: 0, list: 0, delete: 0 };

  constructor(inner: ObjectStore, faults: readonly Fault[] = []) {
    this.#inner = inner;
    this.#faults = faults;
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

  /** Calls so far, failed ones included. A list counts when its first item is asked for. */
  get counts(): Readonly<Record<StoreOperation, number>> {
    return { ...this.#counts };
  }

  /** All calls so far. */
  get operations(): number {
    return STORE_OPERATIONS.reduce((sum, operation) => sum + this.#counts[operation], 0);
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    const fault = this.#begin('put');
    await this.#inner.put(key, body, options);
    fault?.fail();
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    const fault = this.#begin('get');
    const bytes = await this.#inner.get(key, options);
    fault?.fail();
    return bytes;
  }

  async *list(kind: ObjectKind, options?: CallOptions): AsyncGenerator<ObjectInfo> {
    const fault = this.#begin('list');
    yield* this.#inner.list(kind, options);
    fault?.fail();
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    const fault = this.#begin('delete');
    await this.#inner.delete(key, options);
    fault?.fail();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }

  /** Counts the call; throws for a fault before it, and gives the fault that is to come after it. */
  #begin(operation: StoreOperation): { fail: () => never } | undefined {
    this.#counts[operation] += 1;
    const fault = this.#faults.find((candidate) => this.#hits(candidate, operation));
    if (fault === undefined) return undefined;
    const what = `${operation} ${this.#counts[operation]}`;
    const fail = (): never => {
      throw fault.error?.(what) ?? new CairnError('STORE_FAILED', `injected fault ${fault.when} ${what}`);
    };
    return fault.when === 'before' ? fail() : { fail };
  }

  #hits(fault: Fault, operation: StoreOperation): boolean {
    if (fault.operation !== undefined && fault.operation !== operation) return false;
    const count = fault.operation === undefined ? this.operations : this.#counts[operation];
    return count >= fault.at && count < fault.at + (fault.times ?? 1);
  }
}
