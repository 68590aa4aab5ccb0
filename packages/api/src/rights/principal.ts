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
