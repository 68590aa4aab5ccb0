import { fromUtf8, type ByteString } from '@cairn/core';

import type { RightName, Role } from './table.ts';

/** Who sends a request, and what that one may do. Made for each request anew: what an admin changes holds at once. */
export interface Principal {
  readonly account: number;
  readonly name: string;
  readonly role: Role;
  readonly rights: ReadonlySet<RightName>;
  /** Names of the repositories that may be asked for; undefined: all. */
  readonly repositories: readonly string[] | undefined;
  /** Of the role `restore-own-paths`: the paths in archives that are the account's own; undefined: all paths. */
  readonly ownPaths: readonly string[] | undefined;
  /** How it was proved, and which session or token it was. */
  readonly via: 'session' | 'token';
  readonly credential: string;
}

/** Whether a principal may ask for a repository. */
export function mayUseRepository(principal: Principal, repository: string): boolean {
  return principal.repositories === undefined || principal.repositories.includes(repository);
}

/**
 * How a path of an archive lies to what is the principal's own: `own` is it or below it, `above` is a directory on the way to it, of which
 * only that way may be shown, `foreign` is not for this principal at all. Paths are absolute, without `.` and `..`.
 */
export function pathStanding(principal: Principal, path: ByteString): 'own' | 'above' | 'foreign' {
  if (principal.ownPaths === undefined) return 'own';
  const asked = below(path);
  let standing: 'above' | 'foreign' = 'foreign';
  for (const text of principal.ownPaths) {
    const own = below(fromUtf8(text));
    if (asked.startsWith(own)) return 'own';
    if (own.startsWith(asked)) standing = 'above';
  }
  return standing;
}

/** With a slash at the end, so that `/home/ada` is no beginning of `/home/adam`. */
function below(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
