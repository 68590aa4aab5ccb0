import { realpathSync } from 'node:fs';
import { posix } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';
import { fromUtf8, fsPath, type ByteString } from './byte-path.ts';

/** Reasons why a path has no real one; a walk that meets it says more. */
const NO_REAL_PATH: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG'];

/** A path as a caller gives it: text (stored as UTF-8), or its bytes where it is not UTF-8. */
export type PathInput = string | Uint8Array;

/** The byte string of a path. Rejects with `USAGE` when it is empty or has a NUL byte. */
export function pathBytes(path: PathInput): ByteString {
  const bytes = typeof path === 'string' ? fromUtf8(path) : Buffer.from(path).toString('latin1');
  if (bytes === '' || bytes.includes('\0')) throw new CairnError('USAGE', `not a path: ${JSON.stringify(bytes)}`);
  return bytes;
}

/**
 * The absolute path under which a source is backed up: links in the directories that lead to it are followed, so that they
 * are real; the source itself stays a link if it is one, unless the path ends with a slash. A relative path starts at the
 * working directory. What does not exist keeps the path that it was given.
 */
export function resolveSource(path: PathInput): ByteString {
  const bytes = pathBytes(path);
  const last = bytes.split('/').at(-1) ?? '';
  if (last === '' || last === '.' || last === '..') return realPath(bytes);
  const parent = realPath(bytes.slice(0, bytes.length - last.length) || '.');
  return parent === '/' ? `/${last}` : `${parent}/${last}`;
}

function realPath(path: ByteString): ByteString {
  try {
    return realpathSync.native(fsPath(path), { encoding: 'latin1' });
  } catch (cause) {
    if (!NO_REAL_PATH.includes(systemErrorCode(cause))) throw cause;
    if (path.startsWith('/')) return posix.resolve(path);
    if (path === '.') {
      throw new CairnError('USAGE', 'the working directory is gone', { hint: 'Give absolute paths.', cause });
    }
    return posix.resolve(realPath('.'), path);
  }
}
