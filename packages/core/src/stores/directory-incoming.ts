import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { ObjectKey } from '../ids.ts';
import { assertObjectKey } from '../ids.ts';
import { objectLabel } from './contract.ts';
import { NEW_FILE_FLAGS, unlinkBestEffort } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';

/** How a store gives a finished temporary file its name, and makes that durable. */
export type Land = (temp: string, key: ObjectKey) => Promise<void>;

/**
 * An object on its way into a directory store, in pieces: what a server takes from a client without holding it in memory.
 * Until `commit` it is a temporary file that nobody sees; disposing of it without a commit removes it.
 */
export class IncomingObject implements AsyncDisposable {
  readonly #temp: string;
  readonly #file: FileHandle;
  readonly #land: Land;
  readonly #where: string;
  #sizeBytes = 0;
  #open = true;

  private constructor(temp: string, file: FileHandle, land: Land, where: string) {
    this.#temp = temp;
    this.#file = file;
    this.#land = land;
    this.#where = where;
  }

  /** @param temp path of a file that does not exist; @param where the store, for messages. Rejects like `put`. */
  static async begin(temp: string, land: Land, where: string): Promise<IncomingObject> {
    try {
      return new IncomingObject(temp, await open(temp, NEW_FILE_FLAGS, 0o600), land, where);
    } catch (error) {
      return throwStoreError(error, `take an object into ${where}`);
    }
  }

  /** Bytes that were written so far. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Appends; one call at a time. Rejects like `put`. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#sizeBytes);
        done += bytesWritten;
        this.#sizeBytes += bytesWritten;
      }
    } catch (error) {
      throwStoreError(error, `take an object into ${this.#where}`);
    }
  }

  /**
   * Gives the object its name; durable once resolved. Rejects like `put`; nothing can be done with it afterwards.
   * @param receivedMs when it was received, milliseconds since 1970; unless given, when its last byte was written.
   */
  async commit(key: ObjectKey, receivedMs?: number): Promise<void> {
    assertObjectKey(key);
    try {
      // A double of seconds cannot hold every millisecond: half of one more, and rounding down gives it back.
      if (receivedMs !== undefined) await this.#file.utimes((receivedMs + 0.5) / 1000, (receivedMs + 0.5) / 1000);
      await this.#file.sync();
      await this.#land(this.#temp, key);
    } catch (error) {
      throwStoreError(error, `put ${objectLabel(key)} into ${this.#where}`);
    } finally {
      await this[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await Promise.allSettled([this.#file.close()]);
    await unlinkBestEffort(this.#temp);
  }
}
