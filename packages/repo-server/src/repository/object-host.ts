import type { ObjectInfo, ObjectKey, ObjectKind, StoredObject } from '@cairn/core/server';

/** An object that a client is sending. Disposing of it before it was committed leaves nothing. */
export interface Upload extends AsyncDisposable {
  /** One call at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** Durable once resolved. */
  commit(): Promise<void>;
}

/** What the handlers of the protocol ask of a repository, on behalf of one client. All reject as stores do. */
export interface ObjectHost {
  open(key: ObjectKey): Promise<StoredObject>;
  /** In the order of names, those after `after`. */
  list(kind: ObjectKind, after: string): AsyncIterable<ObjectInfo>;
  /** @param sizeBytes what the client announced. */
  receive(key: ObjectKey, sizeBytes: number): Promise<Upload>;
  remove(key: ObjectKey): Promise<void>;
  /** What the repository and its clients look like from outside, as JSON. */
  status(): Promise<object>;
}
