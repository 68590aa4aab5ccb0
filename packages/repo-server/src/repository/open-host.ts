import type { DirectoryStore, ObjectInfo, ObjectKey, ObjectKind, StoredObject } from '@cairn/core/server';

import type { ObjectHost, Upload } from './object-host.ts';

/**
 * A directory for an account that could do everything with it anyway: no roles, no floors, no judging of the log. What
 * `serve --stdio --path` gives to a user who has a shell on the machine.
 */
export class OpenHost implements ObjectHost {
  private readonly store: DirectoryStore;

  constructor(store: DirectoryStore) {
    this.store = store;
  }

  open(key: ObjectKey): Promise<StoredObject> {
    return this.store.openObject(key);
  }

  list(kind: ObjectKind, after: string): AsyncIterable<ObjectInfo> {
    return this.store.listAfter(kind, after);
  }

  async receive(key: ObjectKey): Promise<Upload> {
    const incoming = await this.store.receive();
    return {
      write: (bytes) => incoming.write(bytes),
      commit: () => incoming.commit(key),
      [Symbol.asyncDispose]: () => incoming[Symbol.asyncDispose](),
    };
  }

  remove(key: ObjectKey): Promise<void> {
    return this.store.delete(key);
  }

  async status(): Promise<object> {
    return { repository: this.store.description };
  }
}
