import {
  CairnError,
  isCairnError,
  objectExists,
  objectLabel,
  type DirectoryStore,
  type IncomingObject,
  type ObjectKey,
} from '@cairn/core/server';
import { createHash } from 'node:crypto';

import type { HostedRepository } from './hosted-repository.ts';
import type { Upload } from './object-host.ts';

interface ObjectUploadOptions {
  readonly repository: HostedRepository;
  readonly key: ObjectKey;
  readonly mayUseReserve: boolean;
  /** Called when the upload is no longer under way, whatever became of it; more than once, maybe. */
  readonly done: () => void;
  /** Asked when all has come, before the object gets its name. */
  readonly assertStillAllowed: () => Promise<void>;
  readonly onStored: () => Promise<void>;
}

/** An object that goes to disk while it comes, and whose bytes are hashed on the way. */
export class ObjectUpload implements Upload {
  private readonly options: ObjectUploadOptions;
  private readonly incoming: IncomingObject;
  private readonly hash = createHash('sha256');

  private constructor(options: ObjectUploadOptions, incoming: IncomingObject) {
    this.options = options;
    this.incoming = incoming;
  }

  static async begin(options: ObjectUploadOptions): Promise<ObjectUpload> {
    const { repository, mayUseReserve } = options;
    const receive = (): Promise<IncomingObject> => repository.store.receive();
    return new ObjectUpload(options, await (mayUseReserve ? repository.withReserve(receive) : receive()));
  }

  /** Before a body is taken: most of those that exist need not come at all. Rejects with `OBJECT_EXISTS`. */
  static async assertAbsent(store: DirectoryStore, key: ObjectKey): Promise<void> {
    try {
      await (await store.openObject(key))[Symbol.asyncDispose]();
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return;
      throw error;
    }
    throw objectExists(key, store.description);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.hash.update(bytes);
    await this.incoming.write(bytes);
  }

  async commit(): Promise<void> {
    const { key, assertStillAllowed, onStored } = this.options;
    const hashed = key.kind === 'packs' || key.kind === 'index';
    if (hashed && this.hash.digest('hex') !== key.name) {
      throw new CairnError('USAGE', `${objectLabel(key)} is refused: its bytes have another SHA-256`, {
        details: { http: 422 },
      });
    }
    await assertStillAllowed();
    await this.incoming.commit(key);
    await onStored();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.options.done();
    await this.incoming[Symbol.asyncDispose]();
  }
}

/** A log entry on its way: judged as a whole, and so held in memory. */
export class LogUpload implements Upload {
  private readonly bytes: Buffer;
  private readonly append: (object: Uint8Array) => Promise<void>;
  private readonly done: () => void;
  private length = 0;

  constructor(sizeBytes: number, append: (object: Uint8Array) => Promise<void>, done: () => void) {
    this.bytes = Buffer.alloc(sizeBytes);
    this.append = append;
    this.done = done;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  async commit(): Promise<void> {
    await this.append(this.bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.done();
  }
}
