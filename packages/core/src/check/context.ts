import type { RepositoryAccess } from '../repository/access.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import type { PackAccess } from '../pack/read-header.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import { isCairnError, type CairnError, type ErrorCode } from '../errors.ts';
import type { Findings } from './finding.ts';

/** How far a check has come. `total` is 0 while it is not known. */
export interface CheckProgress {
  /** `index` counts segments, `headers` packs, `data` bytes of packs, `trees` archives. */
  readonly phase: 'index' | 'headers' | 'data' | 'trees';
  readonly done: number;
  readonly total: number;
}

/** What all parts of one check share. */
export interface CheckContext {
  readonly access: RepositoryAccess;
  readonly store: CountingStore;
  readonly findings: Findings;
  readonly signal: AbortSignal | undefined;
  readonly progress: (progress: CheckProgress) => void;
}

/** What reading packs takes, through the counting store. */
export function packAccess({ access, store }: CheckContext): PackAccess {
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read pack headers') };
  return { store, suite: access.suite, keys };
}

/** Reads of a store, counted. */
export class CountingStore implements ObjectStore {
  private readonly inner: ObjectStore;
  bytesRead = 0;

  constructor(inner: ObjectStore) {
    this.inner = inner;
  }

  get description(): string {
    return this.inner.description;
  }

  get localPath(): string | undefined {
    return this.inner.localPath;
  }

  put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    return this.inner.put(key, body, options);
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    const bytes = await this.inner.get(key, options);
    this.bytesRead += bytes.length;
    return bytes;
  }

  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.inner.list(kind, options);
  }

  delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    return this.inner.delete(key, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inner[Symbol.asyncDispose]();
  }
}

/** Errors that say something about one object. Others say that the check cannot go on. */
const DAMAGE: readonly ErrorCode[] = [
  'CORRUPT',
  'OBJECT_MISSING',
  'STORE_FAILED',
  'LIMIT_EXCEEDED',
  'FORMAT_UNSUPPORTED',
];

/** True when the error is a finding about an object; otherwise it must be thrown on. */
export function isDamage(error: unknown): error is CairnError {
  return isCairnError(error) && DAMAGE.includes(error.code);
}
