import { createHash } from 'node:crypto';
import { mkdir, open, rm, unlink, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';

import type { ObjectKey, ObjectKind } from '../ids.ts';
import { FETCHED_PACKS } from '../limits.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';

interface Fetched {
  readonly file: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

/**
 * A decorator for stores that are far away, for who reads many files one after the other: once many small parts of a pack were
 * asked for, the whole pack is fetched beside the work, and kept as a file of this machine as long as the store is open. Each small
 * file is a way to the store and back otherwise. The files are sealed as in the store; their hash is compared with their name, and
 * what does not fit is not kept.
 */
export class FetchedPackStore implements ObjectStore {
  readonly #inner: ObjectStore;
  readonly #directory: string;
  readonly #release: (object: Uint8Array) => void;
  /** Small parts that were asked for, of packs that are not fetched. */
  readonly #asked = new Map<string, number>();
  /** The one that was used least recently comes first. */
  readonly #fetched = new Map<string, Fetched>();
  #fetchedBytes = 0;
  readonly #wanted = new Set<string>();
  #fetching: Promise<void> | undefined;
  readonly #stopped = new AbortController();
  /** There is no room, or no right, to keep files there. */
  #keepsNothing = false;

  /**
   * @param directory is made when it is needed, and removed when the store is closed. Nobody else may use it.
   * @param release frees the memory of a pack at once, as `makeRelease` does. Default: it is left to the collector.
   */
  constructor(inner: ObjectStore, directory: string, release: (object: Uint8Array) => void = () => undefined) {
    this.#inner = inner;
    this.#directory = directory;
    this.#release = release;
  }

  get description(): string {
    return this.#inner.description;
  }

  get keepsLog(): boolean | undefined {
    return this.#inner.keepsLog;
  }

  localFile(key: ObjectKey): string | undefined {
    return key.kind === 'packs' ? this.#used(key.name)?.file : undefined;
  }

  async put(key: ObjectKey, body: Uint8Array, options?: CallOptions): Promise<void> {
    await this.#inner.put(key, body, options);
  }

  async get(key: ObjectKey, options?: CallOptions & { readonly range?: ByteRange }): Promise<Uint8Array> {
    const range = options?.range;
    if (key.kind !== 'packs' || range === undefined) return await this.#inner.get(key, options);
    const fetched = this.#used(key.name);
    const part = fetched === undefined ? undefined : await readPart(fetched, range);
    if (part !== undefined) return part;
    this.#note(key.name, range);
    return await this.#inner.get(key, options);
  }

  list(kind: ObjectKind, options?: CallOptions): AsyncIterable<ObjectInfo> {
    return this.#inner.list(kind, options);
  }

  async delete(key: ObjectKey, options?: CallOptions): Promise<void> {
    await this.#inner.delete(key, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    this.#wanted.clear();
    await this.#fetching;
    for (const { handle } of this.#fetched.values()) await handle.close();
    this.#fetched.clear();
    // Closing goes on; what is left here is nobody's any more.
    await rm(this.#directory, { recursive: true, force: true }).catch(() => undefined);
    await this.#inner[Symbol.asyncDispose]();
  }

  #used(name: string): Fetched | undefined {
    const fetched = this.#fetched.get(name);
    if (fetched === undefined) return undefined;
    this.#fetched.delete(name);
    this.#fetched.set(name, fetched);
    return fetched;
  }

  #note(name: string, { length }: ByteRange): void {
    if (length > FETCHED_PACKS.partBytes || this.#keepsNothing || this.#stopped.signal.aborted) return;
    const asked = (this.#asked.get(name) ?? 0) + 1;
    this.#asked.set(name, asked);
    if (asked < FETCHED_PACKS.parts) return;
    this.#asked.delete(name);
    this.#wanted.add(name);
    // One at a time: what somebody waits for shares the way with it.
    this.#fetching ??= this.#fetchWanted().finally(() => (this.#fetching = undefined));
  }

  async #fetchWanted(): Promise<void> {
    for (const name of this.#wanted) {
      const object = await this.#fetch(name);
      if (object !== undefined) {
        await this.#keep(name, object);
        // Or it would be there still when the next is fetched: 17 MB each.
        this.#release(object);
      }
      this.#wanted.delete(name);
      if (this.#keepsNothing) this.#wanted.clear();
    }
  }

  /** Undefined when the store does not give what the name says. Whoever needs a part of it asks for that, and hears what is wrong. */
  async #fetch(name: string): Promise<Uint8Array | undefined> {
    try {
      const object = await this.#inner.get({ kind: 'packs', name }, { signal: this.#stopped.signal });
      return createHash('sha256').update(object).digest('hex') === name ? object : undefined;
    } catch {
      return undefined;
    }
  }

  async #keep(name: string, object: Uint8Array): Promise<void> {
    const file = path.join(this.#directory, name);
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      await writeFile(file, object, { mode: 0o600, flag: 'wx' });
      this.#fetched.set(name, { file, handle: await open(file), sizeBytes: object.length });
    } catch {
      // A full disk costs time and nothing else.
      this.#keepsNothing = true;
      await unlink(file).catch(() => undefined);
      return;
    }
    this.#fetchedBytes += object.length;
    for (const [oldest, { file: old, handle, sizeBytes }] of this.#fetched) {
      if (this.#fetchedBytes <= FETCHED_PACKS.bytes || oldest === name) return;
      this.#fetched.delete(oldest);
      this.#fetchedBytes -= sizeBytes;
      await unlink(old).catch(() => undefined);
      await handle.close();
    }
  }
}

/** Undefined when the file does not give all of it. */
async function readPart({ handle }: Fetched, { offset, length }: ByteRange): Promise<Uint8Array | undefined> {
  const part = Buffer.allocUnsafeSlow(length);
  try {
    const { bytesRead } = await handle.read(part, 0, length, offset);
    return bytesRead === length ? part : undefined;
  } catch {
    // It was closed since, or its disk fails: the store is asked.
    return undefined;
  }
}
