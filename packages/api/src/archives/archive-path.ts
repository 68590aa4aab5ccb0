import { CairnError, displayName, fromUtf8, type ByteString } from '@cairn/core';

/** Bytes of a path that is asked for: Linux PATH_MAX (linux/limits.h). */
const PATH_BYTES = 4_096;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** How a request names a path in an archive: as UTF-8, or in base64 where it is none. */
export interface AskedPath {
  readonly path?: string | undefined;
  readonly path_b64?: string | undefined;
}

/**
 * The path that a request means, from the archive's root, beginning with a slash and without one at the end; `/` when it names
 * none. Rejects with `USAGE` for what is no path of an archive: a relative one, one with `.` or `..` or NUL, wrong base64.
 */
export function archivePath({ path, path_b64: base64 }: AskedPath): ByteString {
  if (path !== undefined && base64 !== undefined) {
    throw new CairnError('USAGE', 'a path is given twice', { hint: 'Give `path` or `path_b64`.' });
  }
  if (base64 !== undefined) {
    if (!BASE64.test(base64)) throw new CairnError('USAGE', '`path_b64` is not base64');
    return normalPath(Buffer.from(base64, 'base64').toString('latin1'));
  }
  return normalPath(path === undefined ? '/' : fromUtf8(path));
}

/** The same for a path as bytes. */
export function normalPath(path: ByteString): ByteString {
  const names = path.split('/').filter((name) => name !== '');
  const isPath = path.startsWith('/') && path.length <= PATH_BYTES && !path.includes('\0');
  if (!isPath || names.some((name) => name === '.' || name === '..')) {
    throw new CairnError('USAGE', `not a path in an archive: ${displayName(path.slice(0, 200))}`, {
      hint: 'It begins with a slash, and has no `.` and no `..`.',
    });
  }
  return `/${names.join('/')}`;
}

/** The last name of a path; empty for the root. */
export function lastName(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** True when `path` is `top` or below it. */
export function isWithin(path: ByteString, top: ByteString): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`);
}
