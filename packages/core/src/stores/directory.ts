import { readdir, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isCairnError, systemErrorCode } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { assertObjectKey, isObjectName } from '../ids.ts';
import type { Random } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import {
  assertGet,
  assertObjectKind,
  assertPut,
  objectLabel,
  objectMissing,
  resolveRange,
  throwIfCancelled,
} from './contract.ts';
import {
  assertFolderPresent,
  createLayout,
  ensureTempFolder,
  kindFolder,
  makeFolder,
  objectPath,
  openLayout,
  TEMP_FOLDER,
} from './directory-layout.ts';
import { removeOldTemps, STALE_TEMP_MS, tempName } from './directory-temps.ts';
import { IncomingObject } from './directory-incoming.ts';
import { linkObject, objectInfo } from './directory-objects.ts';
import { readingFile, syncFolder, unlinkBestEffort, writeNewFile } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';
import { QuickReads } from './quick-reads.ts';
import { StoredObject } from './stored-object.ts';

/** Files asked for their size at the same time while listing; more does not help Node's four file threads. */
const LIST_BATCH = 64;

/**
 * A store in a local directory: `config`, `keys/NAME`, `packs/ab/NAME`, `index/NAME`, `log/NAME`, and `tmp/` for what is
 * not finished. Several processes may use it at once, also over NFS.
 *
 * - `put` writes and fsyncs a temporary file, gives it its name with `link(2)`, which fails when the name is taken, and
 *   fsyncs the folder: whole or absent after a power cut, and never overwritten. `rename(2)` would overwrite.
 * - `OBJECT_EXISTS` is reported when the object of the other writer is durable.
 * - `receivedMs` is the file's mtime, set when the content was written. Copy a repository with its times.
 * - Names that are no object names are no objects. Something else than a file at an object's place is `CORRUPT`, and not
 *   listed.
 */
export class DirectoryStore implements ObjectStore {
  readonly description: string;
  readonly localPath: string;
  readonly #root: string;
  readonly #random: Random;
  readonly #quick = new QuickReads(systemEnvironment.clock);
  /** Folders of packs whose own name is known to be durable. */
  readonly #fanOut = new Map<string, Promise<void>>();
  /** Set while every index segment that was listed or read through this store is known to be durable. */
  #indexDurable: Promise<void> | undefined;
  /** Set while every log entry that was read through this store is known to be durable. */
  #logDurable: Promise<void> | undefined;

  private constructor(root: string, random: Random) {
    this.description = root;
    this.localPath = root;
    this.#root = root;
    this.#random = random;
  }

  /**
   * Makes the folders of an empty store, mode 0700; the parent of `path` must exist. Rejects with `REPOSITORY_EXISTS`
   * when there is a repository, with `USAGE` when the directory has other content, else like `put`.
   */
  static async create(path: string, random: Random = systemEnvironment.random): Promise<DirectoryStore> {
    return new DirectoryStore(await createLayout(path), random);
  }

  /**
   * Opens a store, and removes temporary files that unfinished puts left over a day ago, if this process may.
   * Rejects with `REPOSITORY_MISSING` when there is no store at `path`, with `STORE_FAILED` when a part of it is absent.
   */
  static async open(path: string, random: Random = systemEnvironment.random): Promise<DirectoryStore> {
    const store = new DirectoryStore(await openLayout(path), random);
    try {
      await ensureTempFolder(store.#root);
      await store.removeStaleTemps(STALE_TEMP_MS);
    } catch (error) {
      // Who may only read cannot tidy up, and need not.
      if (!isCairnError(error, 'STORE_DENIED')) throw error;
    }
    return store;
  }

  async put(key: ObjectKey, body: Uint8Array, options: CallOptions = {}): Promise<void> {
    assertPut(key, body);
    const what = `put ${objectLabel(key)} into ${this.#root}`;
    throwIfCancelled(options.signal, what);
    const temp = this.#tempPath();
    try {
      if (key.kind === 'packs') await this.#ensureFanOut(dirname(objectPath(this.#root, key)));
      await writeNewFile(temp, body);
      try {
        throwIfCancelled(options.signal, what);
        await this.#land(temp, key);
      } finally {
        await unlinkBestEffort(temp);
      }
    } catch (error) {
      throwStoreError(error, what);
    }
  }

  /** Takes an object in pieces: for a server, which must not hold it whole in memory. Rejects like `put`. */
  async receive(): Promise<IncomingObject> {
    return await IncomingObject.begin(this.#tempPath(), (temp, key) => this.#land(temp, key), this.#root);
  }

  #tempPath(): string {
    return join(this.#root, TEMP_FOLDER, tempName(this.#random));
  }

  /** Gives a durable temporary file its name, and makes that durable. Rejects with a system error too. */
  async #land(temp: string, key: ObjectKey): Promise<void> {
    const folder = dirname(objectPath(this.#root, key));
    if (key.kind === 'packs') await this.#ensureFanOut(folder);
    // The entry may rely on a segment of another process that is linked but not yet durable. If a power cut took that back
    // and not the entry, an archive would need chunks that nothing lists.
    if (key.kind === 'log') await (this.#indexDurable ??= syncFolder(kindFolder(this.#root, 'index')));
    await linkObject(temp, this.#root, key);
    await syncFolder(folder);
  }

  async #ensureFanOut(folder: string): Promise<void> {
    if (!this.#fanOut.has(folder)) await makeFolder(folder);
    // Also when it was there: another process may have made it just now. A failed fsync stays failed.
    const durable = this.#fanOut.get(folder) ?? syncFolder(dirname(folder));
    this.#fanOut.set(folder, durable);
    await durable;
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    assertGet(key, options.range);
    const what = `get ${objectLabel(key)} from ${this.#root}`;
    throwIfCancelled(options.signal, what);
    this.#mayBeVolatile(key.kind);
    // Of packs many parts are asked for at once, and who asks goes on while they are read.
    const quick = key.kind === 'packs' ? undefined : this.#quick.read(objectPath(this.#root, key), options.range);
    if (quick !== undefined) return quick;
    const object = await this.openObject(key);
    try {
      const { offset, length } = resolveRange(key, object.sizeBytes, options.range);
      const bytes = await object.read(offset, length);
      throwIfCancelled(options.signal, what);
      return bytes;
    } finally {
      await object[Symbol.asyncDispose]();
    }
  }

  localFile(key: ObjectKey): string {
    assertObjectKey(key);
    return objectPath(this.#root, key);
  }

  /** Opens an object to read it in pieces. Rejects like `get`. */
  async openObject(key: ObjectKey): Promise<StoredObject> {
    assertObjectKey(key);
    try {
      return await StoredObject.open(this.#root, key);
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error;
      await this.#assertPresent(key.kind, `get ${objectLabel(key)} from ${this.#root}`);
      throw objectMissing(key, this.#root, error);
    } finally {
      this.#mayBeVolatile(key.kind);
    }
  }

  /** What another process linked may be read before it is durable. */
  #mayBeVolatile(kind: ObjectKind): void {
    if (kind === 'log') this.#logDurable = undefined;
    if (kind === 'index') this.#indexDurable = undefined;
  }

  list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    return this.listAfter(kind, '', options);
  }

  /** As `list`, in the order of names, those after `after` only: a listing in pages. */
  async *listAfter(kind: ObjectKind, after: string, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertObjectKind(kind);
    const what = `list ${kind} of ${this.#root}`;
    throwIfCancelled(options.signal, what);
    await this.#assertPresent(kind, what);
    for (const folder of kind === 'packs' ? await this.#fanOutFolders(after, what) : [kindFolder(this.#root, kind)]) {
      const names = kind === 'config' ? ['config'] : await this.#namesIn(folder, kind, what);
      const wanted = names.filter((name) => name > after);
      for (let start = 0; start < wanted.length; start += LIST_BATCH) {
        throwIfCancelled(options.signal, what);
        const batch = wanted
          .slice(start, start + LIST_BATCH)
          .map((name) => objectInfo(this.#root, { kind, name }, what, this.#quick));
        for (const info of await Promise.all(batch)) if (info !== undefined) yield info;
      }
    }
  }

  async #fanOutFolders(after: string, what: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.#root, 'packs'), { withFileTypes: true });
      return entries
        .filter(({ name }) => /^[0-9a-f]{2}$/.test(name) && name >= after.slice(0, 2))
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(this.#root, 'packs', name))
        .sort();
    } catch (error) {
      return throwStoreError(error, what);
    }
  }

  /** The object names in a folder, each once: a network file system may repeat names while the folder changes. */
  async #namesIn(folder: string, kind: ObjectKind, what: string): Promise<string[]> {
    try {
      const names = new Set(await readdir(folder));
      return [...names]
        .filter((name) => isObjectName(kind, name) && dirname(objectPath(this.#root, { kind, name })) === folder)
        .sort();
    } catch (error) {
      // Somebody may remove an empty folder of packs. The folder of a kind must be there.
      if (systemErrorCode(error) === 'ENOENT' && kind === 'packs') return [];
      return throwStoreError(error, what);
    }
  }

  async delete(key: ObjectKey, options: CallOptions = {}): Promise<void> {
    assertObjectKey(key);
    const what = `delete ${objectLabel(key)} from ${this.#root}`;
    throwIfCancelled(options.signal, what);
    const path = objectPath(this.#root, key);
    try {
      // The log entry that allows this may be another process's, linked but not yet durable. If a power cut took it
      // back and not the deletion, the log would promise an object that is gone (rule R2).
      await (this.#logDurable ??= syncFolder(join(this.#root, 'log')));
      await unlink(path).catch(ignoreAbsent);
      await syncFolder(dirname(path)).catch(ignoreAbsent);
    } catch (error) {
      throwStoreError(error, what);
    }
    await this.#assertPresent(key.kind, what);
  }

  /**
   * Takes an object out of the way without destroying it: into the folder of temporary files, under a name that is kept there.
   * For a log entry that a crash cut short, or that nobody can read. One that `isWhole` when it was moved is put back.
   */
  async setAside(key: ObjectKey, isWhole: (bytes: Uint8Array) => boolean): Promise<void> {
    const what = `set aside ${objectLabel(key)} of ${this.#root}`;
    try {
      const [from, to] = [
        objectPath(this.#root, key),
        join(this.#root, TEMP_FOLDER, `aside-${key.name}-${tempName(this.#random)}`),
      ];
      await rename(from, to);
      const bytes = await readingFile(to, (file) => file.readFile());
      if (isWhole(bytes)) await linkObject(to, this.#root, key);
      await syncFolder(dirname(from));
    } catch (error) {
      throwStoreError(error, what);
    }
  }

  /**
   * Removes temporary files older than that, by the clock of the file system, and gives their number. A put that is
   * still under way after so long fails, and its caller repeats it; nothing else can happen to it.
   */
  async removeStaleTemps(olderThanMs: number): Promise<number> {
    try {
      return await removeOldTemps(join(this.#root, TEMP_FOLDER), olderThanMs, this.#random);
    } catch (error) {
      return throwStoreError(error, `remove old temporary files of ${this.#root}`);
    }
  }

  async #assertPresent(kind: ObjectKind, what: string): Promise<void> {
    try {
      await assertFolderPresent(kindFolder(this.#root, kind));
    } catch (error) {
      throwStoreError(error, what);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // No descriptor is held between calls.
  }
}

/** An object that is absent is what `delete` wants. */
function ignoreAbsent(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}
