import { link, lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CairnError, systemErrorCode } from '../errors.ts';
import type { ObjectKey } from '../ids.ts';
import type { ObjectInfo } from '../ports/object-store.ts';
import { objectExists, objectLabel } from './contract.ts';
import { objectPath } from './directory-layout.ts';
import { syncFolder } from './durable-file.ts';
import { throwStoreError } from './file-errors.ts';
import type { QuickReads } from './quick-reads.ts';

/** What `link(2)` gives on a file system without hard links (exFAT: EPERM; many SMB and FUSE mounts: the others). */
const NO_HARD_LINKS: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Gives a temporary file the name of an object of the store at `root`. Rejects with `OBJECT_EXISTS` when the name is taken by
 * an object that is durable, with `CORRUPT` when by something else, with `STORE_FAILED` where there are no hard links, and with
 * a system error.
 */
export async function linkObject(temp: string, root: string, key: ObjectKey): Promise<void> {
  const path = objectPath(root, key);
  try {
    await link(temp, path);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'EEXIST') {
      // On NFS the reply to a link that was made may get lost, and the repeated call says EEXIST (open(2), O_EXCL).
      if (await isSameFile(temp, path)) return;
      if (!(await lstat(path)).isFile()) throw notAFile(key, root);
      await syncFolder(dirname(path));
      throw objectExists(key, root, error);
    }
    if (!NO_HARD_LINKS.includes(code)) throw error;
    throw new CairnError('STORE_FAILED', `the file system of ${root} allows no hard links`, {
      hint: 'Objects cannot be put there safely; let a repository server own a store, or use another file system.',
      cause: error,
    });
  }
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([lstat(a, { bigint: true }), lstat(b, { bigint: true })]);
  return one.ino === other.ino && one.dev === other.dev;
}

/** What a listing tells about the object; undefined when it is no file, or gone. Rejects as stores do. */
export async function objectInfo(
  root: string,
  key: ObjectKey,
  what: string,
  quick: QuickReads,
): Promise<ObjectInfo | undefined> {
  try {
    const path = objectPath(root, key);
    const info = quick.stat(path) ?? (await lstat(path));
    if (!info.isFile()) return undefined;
    return { ...key, sizeBytes: info.size, receivedMs: Math.floor(info.mtimeMs) };
  } catch (error) {
    // Deleted since the folder was read.
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    return throwStoreError(error, what);
  }
}

export function notAFile(key: ObjectKey, where: string, cause?: unknown): CairnError {
  return new CairnError('CORRUPT', `${objectLabel(key)} in ${where} is not a regular file`, {
    hint: 'Nothing of Cairn makes that; find out who did, and remove it.',
    cause,
  });
}
