/** What an account may be. */
export const ROLES = ['admin', 'operator', 'viewer', 'restore-own-paths'] as const;
export type Role = (typeof ROLES)[number];

interface RightRow {
  /** As the documentation says it. */
  readonly what: string;
  readonly roles: readonly Role[];
}

/**
 * The one table of who may do what. Every request is judged by it, docs/reference/api.md shows it, and a test asks each route with each
 * role. For `restore-own-paths` routes of archives show only what lies in the account's own paths.
 */
export const RIGHTS = {
  self: {
    what: 'one’s own session, password and tokens',
    roles: ['admin', 'operator', 'viewer', 'restore-own-paths'],
  },
  'archives:read': {
    what: 'list, browse, search and compare archives',
    roles: ['admin', 'operator', 'viewer', 'restore-own-paths'],
  },
  'archives:restore': {
    what: 'download files, and restore them',
    roles: ['admin', 'operator', 'restore-own-paths'],
  },
  'archives:delete': { what: 'delete, bring back and protect archives', roles: ['admin'] },
  'retention:read': {
    what: 'see policies, what they would remove, and what is deleted',
    roles: ['admin', 'operator', 'viewer'],
  },
  'retention:apply': { what: 'prune and compact', roles: ['admin'] },
  'runs:read': { what: 'see and follow runs', roles: ['admin', 'operator', 'viewer'] },
  'runs:start': { what: 'start runs', roles: ['admin', 'operator'] },
  'runs:cancel': { what: 'cancel runs', roles: ['admin', 'operator'] },
  'jobs:read': { what: 'see jobs and what they would include', roles: ['admin', 'operator', 'viewer'] },
  'mounts:read': { what: 'see mounts', roles: ['admin', 'operator', 'viewer'] },
  'mounts:change': { what: 'mount and unmount', roles: ['admin', 'operator'] },
  'keys:export': { what: 'export the recovery key, and prove that it is saved', roles: ['admin'] },
  'accounts:manage': { what: 'make, change and remove accounts, their sessions and tokens', roles: ['admin'] },
  'audit:read': { what: 'read the audit trail', roles: ['admin'] },
} as const satisfies Record<string, RightRow>;

export type RightName = keyof typeof RIGHTS;

export const RIGHT_NAMES = Object.keys(RIGHTS) as readonly RightName[];

export function rightsOf(role: Role): readonly RightName[] {
  return RIGHT_NAMES.filter((right) => (RIGHTS[right].roles as readonly Role[]).includes(role));
}
