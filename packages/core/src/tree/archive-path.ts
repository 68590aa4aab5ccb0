import type { ByteString } from '../host/byte-path.ts';

/** The names on the way from an archive's root to `path`; the root itself has none. Empty names and `.` say nothing. */
export function pathNames(path: ByteString): ByteString[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** The path of those names, from the root: `/` for none. */
export function pathOf(names: readonly ByteString[]): ByteString {
  return `/${names.join('/')}`;
}

/** The path of `name` in the directory `directory`, which begins with a slash. */
export function childPath(directory: ByteString, name: ByteString): ByteString {
  return directory === '/' ? `/${name}` : `${directory}/${name}`;
}
