import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, unlink } from 'node:fs/promises';

/** `O_NONBLOCK` so that a FIFO planted at an object's place cannot hold the open for ever; files ignore it. */
export const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_DIRECTORY;
/** A file that must not exist yet, for writing. */
export const NEW_FILE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** Opens for reading, never through a symbolic link at the end of the path. Rejects with a system error. */
export async function readingFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  return closing(await openForReading(path), use);
}

/** As `readingFile`, for a caller who closes the file. */
export async function openForReading(path: string): Promise<FileHandle> {
  return open(path, READ_FLAGS);
}

/** Makes the names in a folder durable. The folder must not be a symbolic link. Rejects with a system error. */
export async function syncFolder(path: string): Promise<void> {
  await closing(await open(path, FOLDER_FLAGS), (folder) => folder.sync());
}

/**
 * Writes a file that did not exist, mode 0600, and resolves when its bytes are on the disk; its name is not yet durable.
 * Removes it again when that fails. Rejects with a system error. A failed fsync is never tried again: the kernel may
 * have dropped the pages, and a second one would succeed.
 */
export async function writeNewFile(path: string, bytes: Uint8Array): Promise<void> {
  const opened = await open(path, NEW_FILE_FLAGS, 0o600);
  try {
    await closing(opened, async (file) => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, done);
        done += bytesWritten;
      }
      await file.sync();
    });
  } catch (error) {
    await unlinkBestEffort(path);
    throw error;
  }
}

/** Removes a temporary file. A failure is left aside: what happened before tells more, and stale files go later. */
export async function unlinkBestEffort(path: string): Promise<void> {
  await Promise.allSettled([unlink(path)]);
}

/** When both `use` and closing fail, the error of `use` is the one that tells. */
async function closing<T>(file: FileHandle, use: (file: FileHandle) => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await use(file);
  } catch (error) {
    await Promise.allSettled([file.close()]);
    throw error;
  }
  await file.close();
  return result;
}
