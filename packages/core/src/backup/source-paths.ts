import { CairnError } from '../errors.ts';
import type { ByteString } from '../host/byte-path.ts';

/** What to visit below a directory: everything, or only the named entries that lead to sources. */
export type Visit = 'all' | ReadonlyMap<ByteString, Visit>;

/**
 * The sources as one tree from `/`: ancestors of a source are visited only on the way to it. A source inside another one
 * adds nothing. Rejects with `USAGE` for a path that is not absolute and normal.
 * @param paths absolute byte strings without `.`, `..` or doubled slashes.
 */
export function planVisits(paths: readonly ByteString[]): Visit {
  const root = new Map<ByteString, Visit>();
  let all: Visit = root;
  for (const path of paths) {
    const names = path.split('/').filter((name) => name !== '');
    if (!path.startsWith('/') || names.includes('.') || names.includes('..')) {
      throw new CairnError('USAGE', `a source must be an absolute path: ${JSON.stringify(path)}`);
    }
    if (names.length === 0) all = 'all';
    addPath(root, names);
  }
  return all;
}

function addPath(root: Map<ByteString, Visit>, names: readonly ByteString[]): void {
  let at = root;
  for (const [i, name] of names.entries()) {
    const known = at.get(name);
    if (known === 'all') return;
    if (i === names.length - 1) {
      at.set(name, 'all');
      return;
    }
    const next = known === undefined ? new Map<ByteString, Visit>() : (known as Map<ByteString, Visit>);
    at.set(name, next);
    at = next;
  }
}
