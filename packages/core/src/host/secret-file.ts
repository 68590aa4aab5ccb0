import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { type FileHandle, open, realpath, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

import { CairnError, isCairnError, systemErrorCode } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { openToRead, readBounded } from './read-all.ts';

/** Small files that hold keys, wrapped or not: for their owner only, durable, never overwritten. */

export interface SecretFile {
  /** At most one byte more than a key file may have. The caller wipes them. */
  readonly bytes: Buffer;
  /** A sentence for the user when others than its owner can read or write the file. */
  readonly warning?: string;
}

/** Reads the file to its end; a pipe will do. Rejects with `USAGE` when it cannot be read. */
export async function readSecretFile(path: string): Promise<SecretFile> {
  try {
    const fd = await openToRead(path);
    const stats = fstatSync(fd);
    const mode = stats.mode & 0o777;
    const bytes = await readBounded(fd, LIMITS.keyFileBytes);
    return stats.isFile() && (mode & 0o077) !== 0 ? { bytes, warning: exposed(path, mode) } : { bytes };
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the key file ${path}: ${systemErrorCode(cause) ?? String(cause)}`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
}

function exposed(path: string, mode: number): string {
  const octal = mode.toString(8).padStart(4, '0');
  return `The key file ${path} has mode ${octal}: others can get at it. Run \`chmod 600\` on it.`;
}

/**
 * Writes a new file, mode 0600, durable, and read back before this returns. Rejects with `TARGET_EXISTS` when there is a
 * file already, with `TARGET_FAILED` when it cannot be written, and as `check` does for what was read back.
 */
export async function createSecretFile(path: string, bytes: Buffer, check: (bytes: Buffer) => void): Promise<void> {
  await writeNew(path, bytes, check);
  await syncDirectory(dirname(path));
}

/**
 * Puts a file in the place of another, whole or not at all: the new one is durable and was read back before the old one
 * goes. A symbolic link stays, and what it points to is replaced. Rejects as `createSecretFile` does.
 */
export async function replaceSecretFile(path: string, bytes: Buffer, check: (bytes: Buffer) => void): Promise<void> {
  let target: string;
  try {
    target = await realpath(path);
  } catch (cause) {
    throw failed(path, cause);
  }
  const fresh = `${target}.${randomBytes(8).toString('hex')}.new`;
  await writeNew(fresh, bytes, check);
  try {
    await rename(fresh, target);
  } catch (cause) {
    await discard(fresh);
    throw failed(target, cause);
  }
  await syncDirectory(dirname(target));
}

async function discard(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (cause) {
    throw new CairnError('TARGET_FAILED', `an unfinished key file could not be removed: ${path}`, {
      hint: 'Remove it: it may hold a key.',
      cause,
    });
  }
}

/** Creates the file, or leaves none behind. */
async function writeNew(path: string, bytes: Buffer, check: (bytes: Buffer) => void): Promise<void> {
  let file: FileHandle;
  try {
    // 'x': O_CREAT | O_EXCL, which follows no link either.
    file = await open(path, 'wx+', 0o600);
  } catch (cause) {
    if (systemErrorCode(cause) === 'EEXIST') {
      throw new CairnError('TARGET_EXISTS', `there is a file already: ${path}`, {
        hint: 'Choose another name; key files are never overwritten.',
        cause,
      });
    }
    throw failed(path, cause);
  }
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await assertReadsBack(path, bytes, check);
  } catch (cause) {
    await discard(path);
    throw isCairnError(cause) ? cause : failed(path, cause);
  }
}

async function assertReadsBack(path: string, written: Buffer, check: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readBounded(await openToRead(path), LIMITS.keyFileBytes);
  if (!bytes.equals(written)) throw failed(path, 'it reads back otherwise than it was written');
  check(bytes);
}

async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } catch (cause) {
    throw failed(path, cause);
  } finally {
    await directory?.close();
  }
}

function failed(path: string, cause: unknown): CairnError {
  const reason = systemErrorCode(cause) ?? String(cause);
  return new CairnError('TARGET_FAILED', `cannot write the key file ${path}: ${reason}`, {
    hint: 'Check the directory, its permissions and free space.',
    ...(cause instanceof Error ? { cause } : {}),
  });
}
