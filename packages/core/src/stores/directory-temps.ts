import { lstat, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { Random } from '../ports/environment.ts';
import { readingFile, unlinkBestEffort, writeNewFile } from './durable-file.ts';

/** No put takes a day; a machine that slept that long in the middle of one repeats it. */
export const STALE_TEMP_MS = 24 * 3_600_000;

const TEMP_NAME = /^[0-9a-f]{32}$/;

/** A name nobody else takes: 128 random bits. */
export function tempName(random: Random): string {
  return toHex(random.bytes(16));
}

/**
 * Removes temporary files in `folder` whose mtime is more than `olderThanMs` back, and gives their number. "Now" is the
 * mtime of a file made for that, because the clock of a file server may differ from this machine's.
 * Rejects with a system error.
 */
export async function removeOldTemps(folder: string, olderThanMs: number, random: Random): Promise<number> {
  const names = (await readdir(folder)).filter((name) => TEMP_NAME.test(name));
  if (names.length === 0) return 0;
  const nowMs = await fileSystemNow(join(folder, tempName(random)));
  let removed = 0;
  for (const name of names) {
    try {
      const path = join(folder, name);
      const info = await lstat(path);
      if (!info.isFile() || nowMs - info.mtimeMs <= olderThanMs) continue;
      await unlink(path);
      removed += 1;
    } catch (error) {
      // Its put ended, or another process tidies up too.
      if (systemErrorCode(error) !== 'ENOENT') throw error;
    }
  }
  return removed;
}

async function fileSystemNow(path: string): Promise<number> {
  await writeNewFile(path, new Uint8Array(0));
  try {
    return await readingFile(path, async (file) => (await file.stat()).mtimeMs);
  } finally {
    await unlinkBestEffort(path);
  }
}
