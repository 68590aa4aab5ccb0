import type { FileHandle } from 'node:fs/promises';
import { systemErrorCode } from '../errors.ts';
import type { ObjectKey } from '../ids.ts';
import { objectLabel, tooShort } from './contract.ts';
import { objectPath } from './directory-layout.ts';
import { notAFile } from './directory-objects.ts';
import { openForReading } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';

/** An object of a directory store that is open for reading in pieces. Whoever opened it disposes of it. */
export class StoredObject implements AsyncDisposable {
  readonly sizeBytes: number;
  /** When the store received it, milliseconds since 1970. */
  readonly receivedMs: number;
  readonly #key: ObjectKey;
  readonly #file: FileHandle;
  readonly #what: string;

  private constructor(key: ObjectKey, file: FileHandle, info: { size: number; mtimeMs: number }, what: string) {
    this.#key = key;
    this.#file = file;
    this.#what = what;
    this.sizeBytes = info.size;
    this.receivedMs = Math.floor(info.mtimeMs);
  }

  /** Rejects with the system error ENOENT when it is absent, with `CORRUPT` when it is no file, and as stores do. */
  static async open(root: string, key: ObjectKey): Promise<StoredObject> {
    const what = `get ${objectLabel(key)} from ${root}`;
    let file: FileHandle | undefined;
    try {
      file = await openForReading(objectPath(root, key));
      const info = await file.stat();
      if (!info.isFile()) throw notAFile(key, root);
      return new StoredObject(key, file, info, what);
    } catch (error) {
      if (file !== undefined) await Promise.allSettled([file.close()]);
      const code = systemErrorCode(error);
      // ELOOP: a symbolic link with O_NOFOLLOW. ENXIO: a socket.
      if (code === 'ELOOP' || code === 'ENXIO') throw notAFile(key, root, error);
      if (code === 'ENOENT') throw error;
      return throwStoreError(error, what);
    }
  }

  /** Exactly these bytes, in memory of their own. Rejects with `OBJECT_MISSING` when the file ends before, and as stores do. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    // Not `Buffer.allocUnsafe`: the caller owns the bytes, and that would share a small one with others.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    try {
      for (let done = 0; done < length;) {
        const { bytesRead } = await this.#file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw tooShort(this.#key, offset + done, { offset, length });
        done += bytesRead;
      }
    } catch (error) {
      throwStoreError(error, this.#what);
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
