import { link, lstat, readdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CairnError, isCairnError, systemErrorCode } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { assertObjectKey, isObjectName } from '../ids.ts';
import type { Random } from '../ports/environment.ts';
import type { ByteRange, CallOptions, ObjectInfo, ObjectStore } from '../ports/object-store.ts';
import {
  assertGet,
  assertObjectKind,
  assertPut,
  objectExists,
  objectLabel,
  objectMissing,
  resolveRange,
  throwIfCancelled,
  tooShort,
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
import { readingFile, syncFolder, unlinkBestEffort, writeNewFile } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';

/** Files asked for their size at the same time while listing; more does not help Node's four file threads. */
const LIST_BATCH = 64;

/** What `link(2)` gives on a file system without hard links (exFAT: EPERM; many SMB and FUSE mounts: the others). */
const NO_HARD_LINKS: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

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
  readonly #root: string;
  readonly #random: Random;
  /** Folders of packs whose own name is known to be durable. */
  readonly #fanOut = new Map<string, Promise<void>>();
  /** Set while every log entry that was read through this store is known to be durable. */
  #logDurable: Promise<void> | undefined;

  private constructor(root: string, random: Random) {
    this.description = root;
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
    const path = objectPath(this.#root, key);
    const temp = join(this.#root, TEMP_FOLDER, tempName(this.#random));
    try {
      if (key.kind === 'packs') await this.#ensureFanOut(dirname(path));
      await writeNewFile(temp, body);
      try {
        throwIfCancelled(options.signal, what);
        await this.#linkObject(temp, path, key);
        await syncFolder(dirname(path));
      } finally {
        await unlinkBestEffort(temp);
      }
    } catch (error) {
      throwStoreError(error, what);
    }
  }

  async #ensureFanOut(folder: string): Promise<void> {
    if (!this.#fanOut.has(folder)) await makeFolder(folder);
    // Also when it was there: another process may have made it just now. A failed fsync stays failed.
    const durable = this.#fanOut.get(folder) ?? syncFolder(dirname(folder));
    this.#fanOut.set(folder, durable);
    await durable;
  }

  async #linkObject(temp: string, path: string, key: ObjectKey): Promise<void> {
    try {
      await link(temp, path);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === 'EEXIST') {
        // On NFS the reply to a link that was made may get lost, and the repeated call says EEXIST (open(2), O_EXCL).
        if (await isSameFile(temp, path)) return;
        if (!(await lstat(path)).isFile()) throw notAFile(key, this.#root);
        await syncFolder(dirname(path));
        throw objectExists(key, this.#root, error);
      }
      if (!NO_HARD_LINKS.includes(code)) throw error;
      throw new CairnError('STORE_FAILED', `the file system of ${this.#root} allows no hard links`, {
        hint: 'Objects cannot be put there safely; let a repository server own a store, or use another file system.',
        cause: error,
      });
    }
  }

  async get(key: ObjectKey, options: CallOptions & { readonly range?: ByteRange } = {}): Promise<Uint8Array> {
    assertGet(key, options.range);
    const what = `get ${objectLabel(key)} from ${this.#root}`;
    throwIfCancelled(options.signal, what);
    try {
      const bytes = await this.#read(key, options.range);
      throwIfCancelled(options.signal, what);
      return bytes;
    } catch (error) {
      const code = systemErrorCode(error);
      // ELOOP: a symbolic link with O_NOFOLLOW. ENXIO: a socket.
      if (code === 'ELOOP' || code === 'ENXIO') throw notAFile(key, this.#root, error);
      if (code !== 'ENOENT') return throwStoreError(error, what);
      await this.#assertPresent(key.kind, what);
      throw objectMissing(key, this.#root, error);
    } finally {
      if (key.kind === 'log') this.#logDurable = undefined;
    }
  }

  #read(key: ObjectKey, range: ByteRange | undefined): Promise<Uint8Array> {
    return readingFile(objectPath(this.#root, key), async (file) => {
      const info = await file.stat();
      if (!info.isFile()) throw notAFile(key, this.#root);
      const { offset, length } = resolveRange(key, info.size, range);
      // Not `Buffer.allocUnsafe`: the caller owns the bytes, and that would share a small one with others.
      const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
      for (let done = 0; done < length;) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw tooShort(key, offset + done, { offset, length });
        done += bytesRead;
      }
      return bytes;
    });
  }

  async *list(kind: ObjectKind, options: CallOptions = {}): AsyncGenerator<ObjectInfo> {
    assertObjectKind(kind);
    const what = `list ${kind} of ${this.#root}`;
    throwIfCancelled(options.signal, what);
    await this.#assertPresent(kind, what);
    for (const folder of kind === 'packs' ? await this.#fanOutFolders(what) : [kindFolder(this.#root, kind)]) {
      const names = kind === 'config' ? ['config'] : await this.#namesIn(folder, kind, what);
      for (let start = 0; start < names.length; start += LIST_BATCH) {
        throwIfCancelled(options.signal, what);
        const batch = names.slice(start, start + LIST_BATCH).map((name) => this.#info({ kind, name }, what));
        for (const info of await Promise.all(batch)) if (info !== undefined) yield info;
      }
    }
  }

  async #fanOutFolders(what: string): Promise<string[]> {
    try {
      const entries = await readdir(join(this.#root, 'packs'), { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
        .map((entry) => join(this.#root, 'packs', entry.name));
    } catch (error) {
      return throwStoreError(error, what);
    }
  }

  /** The object names in a folder, each once: a network file system may repeat names while the folder changes. */
  async #namesIn(folder: string, kind: ObjectKind, what: string): Promise<string[]> {
    try {
      const names = new Set(await readdir(folder));
      return [...names].filter(
        (name) => isObjectName(kind, name) && dirname(objectPath(this.#root, { kind, name })) === folder,
      );
    } catch (error) {
      // Somebody may remove an empty folder of packs. The folder of a kind must be there.
      if (systemErrorCode(error) === 'ENOENT' && kind === 'packs') return [];
      return throwStoreError(error, what);
    }
  }

  async #info(key: ObjectKey, what: string): Promise<ObjectInfo | undefined> {
    try {
      const info = await lstat(objectPath(this.#root, key));
      if (!info.isFile()) return undefined;
      return { ...key, sizeBytes: info.size, receivedMs: Math.floor(info.mtimeMs) };
    } catch (error) {
      // Deleted since the folder was read.
      if (systemErrorCode(error) === 'ENOENT') return undefined;
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
      // back and not the deletion, the log would promise an object that is gone.
      await (this.#logDurable ??= syncFolder(join(this.#root, 'log')));
      await unlink(path).catch(ignoreAbsent);
      await syncFolder(dirname(path)).catch(ignoreAbsent);
    } catch (error) {
      throwStoreError(error, what);
    }
    await this.#assertPresent(key.kind, what);
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

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(a, { bigint: true }), lstat(b, { bigint: true })]);
  return one.ino === other.ino && one.dev === other.dev;
}

function notAFile(key: ObjectKey, where: string, cause?: unknown): CairnError {
  return new CairnError('CORRUPT', `${objectLabel(key)} in ${where} is not a regular file`, {
    hint: 'Nothing of Cairn makes that; find out who did, and remove it.',
    cause,
  });
}

/** An object that is absent is what `delete` wants. */
function ignoreAbsent(error: unknown): void {
  if (systemErrorCode(error) !== 'ENOENT') throw error;
}
