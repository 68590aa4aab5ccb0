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
  /** What the client announced. */
  readonly sizeBytes: number;
  readonly mayUseReserve: boolean;
  readonly onStored: () => Promise<void>;
}

/** An object that goes to disk while it comes, and whose bytes are hashed on the way. */
export class ObjectUpload implements Upload {
  private readonly options: ObjectUploadOptions;
  private readonly incoming: IncomingObject;
  private readonly done: () => void;
  private readonly hash = createHash('sha256');

  private constructor(options: ObjectUploadOptions, incoming: IncomingObject, done: () => void) {
    this.options = options;
    this.incoming = incoming;
    this.done = done;
  }

  static async begin(options: ObjectUploadOptions): Promise<ObjectUpload> {
    const { repository, mayUseReserve, sizeBytes } = options;
    const receive = (): Promise<IncomingObject> => repository.store.receive();
    const incoming = await (mayUseReserve ? repository.withReserve(receive) : receive());
    return new ObjectUpload(options, incoming, repository.announce(sizeBytes));
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
    const { key, onStored } = this.options;
    const hashed = key.kind === 'packs' || key.kind === 'index';
    if (hashed && this.hash.digest('hex') !== key.name) {
      throw new CairnError('USAGE', `${objectLabel(key)} is refused: its bytes have another SHA-256`, {
        details: { http: 422 },
      });
    }
    await this.incoming.commit(key);
    await onStored();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.done();
    await this.incoming[Symbol.asyncDispose]();
  }
}

/** A log entry on its way: small, and judged as a whole. */
export class LogUpload implements Upload {
  private readonly bytes: Buffer;
  private readonly append: (object: Uint8Array) => Promise<void>;
  private length = 0;

  constructor(sizeBytes: number, append: (object: Uint8Array) => Promise<void>) {
    this.bytes = Buffer.alloc(sizeBytes);
    this.append = append;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  async commit(): Promise<void> {
    await this.append(this.bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Nothing was kept.
  }
}
