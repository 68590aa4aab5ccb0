import { displayName, type ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import { tarError } from './tar-error.ts';

/**
 * The names on the way to a member, from the root of what is imported; none for the root itself. Rejects with `TAR_INVALID` for
 * a path that leads out, or that no file can have.
 */
export function memberNames(path: ByteString, offset: number): ByteString[] {
  const shown = displayName(path.slice(0, 200));
  if (path === '') throw tarError(offset, 'a member has no name');
  if (path.startsWith('/')) {
    throw tarError(
      offset,
      `${shown} is an absolute path`,
      'Nothing was imported. Make the archive without --absolute-names.',
    );
  }
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) throw tarError(offset, `${shown} leads out of the archive`);
  if (names.length > LIMITS.treeDepth) throw tarError(offset, `a path has more than ${LIMITS.treeDepth} names`);
  if (names.some((name) => name.length > LIMITS.nameBytes || name.includes('\0'))) {
    throw tarError(offset, `${shown} has a name that no file can have`);
  }
  return names;
}
