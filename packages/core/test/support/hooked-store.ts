import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../../dist/index.js';
import type { ObjectKey, ObjectKind } from '../../dist/ids.js';

export interface StoreHooks {
  /** Called before an object is put; `count` from 1, among the puts of its kind. */
  readonly beforePut?: (key: ObjectKey, count: number) => void | Promise<void>;
}

/** A decorator that lets a test do something at a chosen moment of a run. */
export class HookedStore implements ObjectStore {
  private readonly inner: ObjectStore;
  private readonly hooks: StoreHooks;
  private readonly puts = new Map<ObjectKind, number>();

  constructor(inner: ObjectStore, hooks: StoreHooks) {
    this.inner = inner;
    this.hooks = hooks;
  }

  get description(): string {
    return this.inner.description;
  }

  get localPath(): string | undefined {
    return this.inner.localPath;
  }

  localFile(key: ObjectKey): string | undefined {
    return this.inner.localFile?.(key);
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    const count = (this.puts.get(key.kind) ?? 0) + 1;
    this.puts.set(key.kind, count);
    await this.hooks.beforePut?.(key, count);
    await this.inner.put(key, body, options);
  }

  get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    return this.inner.get(key, options);
  }

  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.inner.list(kind, options);
  }

  delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    return this.inner.delete(key, options);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.inner[Symbol.asyncDispose]();
  }
}
