import type { ObjectKey, ObjectKind } from '../ids.ts';

/** What a listing tells about one object. */
export interface ObjectInfo extends ObjectKey {
  readonly sizeBytes: number;
  /** When the store received the object, by the store's own clock. Milliseconds since 1970, UTC. */
  readonly receivedMs: number;
}

/** A part of an object, in bytes. It must lie within the object. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Options of every call to a store. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /**
   * Asked before each piece of a body goes over a network, and after each piece that came, with its bytes; the transfer goes
   * on when it resolves. Adapters without a network do not ask.
   */
  readonly pace?: (bytes: number) => Promise<void>;
}

/**
 * The port behind which sealed objects live. One contract, proved for each adapter by `testObjectStore()` of
 * `@cairn/core/testing`.
 *
 * - Objects are immutable byte strings of bounded size (`limits.ts`), so the port moves bytes, not streams.
 * - A store checks every key it is given or lists with `assertObjectKey` / `isObjectName`; anything else is not an object.
 * - No adapter retries, caches, logs or limits by itself: those are decorators of this port.
 * - System failures reject with `STORE_FULL` (no space, quota), `STORE_DENIED` (rights), `STORE_UNREACHABLE` (network) or
 *   `STORE_FAILED` (any other input or output error); the message names the object.
 * - A signal that fires rejects with `CANCELLED`; a put that was cancelled left either the whole object or nothing.
 */
export interface ObjectStore extends AsyncDisposable {
  /** Where this is, for people: a path or an address without secrets. */
  readonly description: string;

  /** Where the objects lie in this machine's file system, if they do: a repository is never backed up into itself. */
  readonly localPath?: string | undefined;

  /**
   * The file that an object is, where objects are files of this machine: another thread may read it there. Nothing is checked;
   * whoever cannot read it, or finds something else, calls `get`, which says why.
   */
  localFile?(key: ObjectKey): string | undefined;

  /**
   * True when a server keeps the log: it judges an entry before it acknowledges it, and takes a next one only behind the bytes
   * that it acknowledged. Otherwise the log is as whoever can write to the store, or its disk, left it.
   */
  readonly keepsLog?: boolean | undefined;

  /**
   * Stores `body` under `key`. Atomic: no reader ever sees a part of it. Durable once resolved: survives a power cut.
   * Never overwrites: rejects with `OBJECT_EXISTS` and leaves the first object as it is; of several concurrent puts of one
   * key exactly one resolves. The adapter does not keep or change `body` after it settled.
   */
  put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void>;

  /**
   * The object, or the given range of it: exactly `range.length` bytes from `range.offset`. The caller owns the bytes.
   * Rejects with `OBJECT_MISSING` when there is no such object, or when it ends before the range does. Sees every put that
   * resolved before the call.
   */
  get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array>;

  /**
   * Each object of a kind once, in no order; temporary files of unfinished puts never. Sees every put that resolved before
   * the call. Not a snapshot: objects put or deleted meanwhile may or may not show. A failed read rejects; it is never an
   * empty list.
   */
  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo>;

  /** Removes the object. Absent is success. Durable once resolved. */
  delete(key: ObjectKey, options?: CallOptions): Promise<void>;
}
