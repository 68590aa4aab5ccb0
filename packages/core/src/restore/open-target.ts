import { mkdirSync, opendirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';
import { AT_FDCWD, FILE_CONSTANTS, makeDirectoryAt, openAt, statFd } from '../host/at-calls.ts';
import { fromUtf8 } from '../host/byte-path.ts';
import { TargetDirectory } from './target-directory.ts';

const { O_RDONLY, O_DIRECTORY } = FILE_CONSTANTS;

/**
 * Opens the directory to restore into, made when it is missing (mode 0700, then that of the archive's root). What the caller
 * named may lead through links; nothing below it does.
 * @param encodedRoot the archive's root entry, for a target that is made here; undefined to leave it as it is.
 * Rejects with `TARGET_EXISTS` when it has content and may not, with `TARGET_FAILED` when it cannot be had.
 */
export function openTarget(
  path: string,
  mayHaveContent: boolean,
  encodedRoot: Uint8Array | undefined,
): TargetDirectory {
  const full = resolve(path);
  try {
    const byUs = makeTarget(full);
    if (!byUs && !mayHaveContent && hasContent(full)) {
      throw new CairnError('TARGET_EXISTS', `${path} is not empty`, {
        hint: 'Restore into a new or empty directory, or in place.',
      });
    }
    const fd = openAt(AT_FDCWD, fromUtf8(full), O_RDONLY | O_DIRECTORY);
    return rootDirectory(fd, byUs, encodedRoot);
  } catch (error) {
    if (error instanceof CairnError) throw error;
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    throw unusable(path, code, error);
  }
}

/** The target as it is, to look at: its descriptor is −1 when it does not exist. Rejects with `TARGET_FAILED`. */
export function openExistingTarget(path: string): TargetDirectory {
  const root = new TargetDirectory(undefined, '', '/', 0, undefined);
  try {
    root.fd = openAt(AT_FDCWD, fromUtf8(resolve(path)), O_RDONLY | O_DIRECTORY);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined) throw error;
    if (code !== 'ENOENT') throw unusable(path, code, error);
  }
  return root;
}

function unusable(path: string, code: string, cause: unknown): CairnError {
  return new CairnError('TARGET_FAILED', `cannot restore into ${path}: ${code}`, {
    hint: code === 'ENOTDIR' || code === 'EEXIST' ? 'It must be a directory.' : 'Check its rights and those above it.',
    cause,
  });
}

function rootDirectory(fd: number, byUs: boolean, encodedRoot: Uint8Array | undefined): TargetDirectory {
  const { device, inode, mtimeNs } = statFd(fd);
  const root = new TargetDirectory(undefined, '', '/', 0, encodedRoot);
  root.fd = fd;
  root.made = { device, inode, mtimeNs, byUs };
  return root;
}

/** True when it was missing and is made now. */
function makeTarget(full: string): boolean {
  mkdirSync(dirname(full), { recursive: true });
  try {
    makeDirectoryAt(AT_FDCWD, fromUtf8(full), 0o700);
    return true;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

function hasContent(full: string): boolean {
  const directory = opendirSync(full);
  try {
    return directory.readSync() !== null;
  } finally {
    directory.closeSync();
  }
}
