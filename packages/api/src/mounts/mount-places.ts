import { CairnError, isCairnError, systemErrorCode } from '@cairn/core';
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readdir, rmdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** Digits of a mount's id. */
const ID_DIGITS = 16;
/** Names of archives that a directory may have as they are: no slash, nothing hidden, nothing that a terminal obeys. */
const PLAIN_NAME = /^[A-Za-z0-9][\w.:@+-]{0,199}$/;
/** Where a whole repository is shown. No archive's directory begins so. */
const WHOLE = '_all';

/** Which mount is at a directory: the same there always, so that a double click means one thing. */
export function mountId(directory: string): string {
  return createHash('sha256').update(directory).digest('hex').slice(0, ID_DIGITS);
}

/**
 * The directory for a mount below `base`: of an archive by its name, where that can be one of a directory, else by its id; with a part of
 * its id behind it where another one has that name (`isTaken`).
 */
export function mountDirectory(
  base: string,
  repository: string,
  archive: { readonly id: string; readonly name: string } | null,
  isTaken: (directory: string) => boolean,
): string {
  if (archive === null) return join(base, repository, WHOLE);
  const named = join(base, repository, PLAIN_NAME.test(archive.name) ? archive.name : archive.id);
  return isTaken(named) ? `${named}~${archive.id.slice(0, 8)}` : named;
}

/** Whether something is mounted in the place for mounts, and not on it or anywhere else. */
export function isBelow(base: string, directory: string): boolean {
  const way = relative(base, directory);
  return way !== '' && way !== '..' && !way.startsWith('../') && !way.startsWith('/');
}

/**
 * Makes a directory to mount on, and those on the way to it. Rejects with `MOUNT_FAILED` when something on the way is no directory, a
 * link above all: somebody could turn the mount to another place; and when there is something in it, which the mount would hide.
 */
export async function makePlace(base: string, directory: string, forOthers: boolean): Promise<void> {
  const mode = forOthers ? 0o755 : 0o700;
  try {
    const first = await mkdir(base, { recursive: true });
    for (let at = base; first !== undefined && at.length >= first.length; at = dirname(at)) await chmod(at, mode);
    let at = base;
    await assertDirectory(at);
    for (const name of relative(base, directory).split('/')) {
      at = join(at, name);
      await makeDirectory(at, mode);
      await assertDirectory(at);
    }
    const [inside] = await readdir(directory);
    if (inside !== undefined) throw failed(directory, 'something is in it');
  } catch (error) {
    const code = isCairnError(error) ? undefined : systemErrorCode(error);
    if (code === undefined) throw error;
    throw failed(directory, code);
  }
}

/** Makes a directory with these permissions, whatever the umask of the process; one that is there stays as it is. */
async function makeDirectory(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    throw error;
  }
  await chmod(path, mode);
}

async function assertDirectory(path: string): Promise<void> {
  if (!(await lstat(path)).isDirectory()) throw failed(path, 'it is no directory');
}

function failed(path: string, how: string): CairnError {
  return new CairnError('MOUNT_FAILED', `${path} cannot be mounted on: ${how}`, {
    hint: 'Look at the directory that `[mounts]` of the panel’s file names.',
  });
}

/** Takes away the empty directory of a mount that is gone. What is in use, or not empty, stays. */
export async function removePlace(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (
      !['ENOENT', 'ENOTEMPTY', 'EBUSY', 'EEXIST', 'EACCES', 'EPERM', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')
    )
      throw error;
  }
}
