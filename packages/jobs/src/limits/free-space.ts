import { CairnError, formatBytes, systemErrorCode } from '@cairn/core';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Bytes that must be free before a backup unless the job says otherwise: enough for the record, the cache and the log. */
export const MINIMUM_FREE = 100 * 1024 * 1024;

/**
 * Rejects with `STORE_FULL` when one of the places has less than so many bytes free. A place that is not there yet is looked at where it
 * would be made.
 * @param places absolute paths, each with what it is for messages.
 */
export async function assertFreeSpace(
  places: readonly { readonly path: string; readonly what: string }[],
  bytes: number,
): Promise<void> {
  for (const { path, what } of places) {
    const free = await freeBytes(path);
    if (free >= bytes) continue;
    throw new CairnError(
      'STORE_FULL',
      `${formatBytes(free)} are free for ${what} at ${path}, less than ${formatBytes(bytes)}`,
      {
        hint: 'Make room there, or say with `minimum-free` in [limits] that less is enough.',
        details: { free, wanted: bytes },
      },
    );
  }
}

async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT' && dirname(path) !== path) return await freeBytes(dirname(path));
    throw error;
  }
}
