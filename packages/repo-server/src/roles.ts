import type { LogKind } from '@cairn/core/server';

/** What a credential may be for. */
export const ROLES = ['append', 'read', 'maintain', 'monitor'] as const;
export type Role = (typeof ROLES)[number];

/** Something that a request may need. Entries of the log are a right for each kind. */
export type Right =
  | 'status'
  | 'read structure'
  | 'read packs'
  | 'read keys'
  | 'put packs'
  | 'put config'
  | 'change keys'
  | 'remove swept'
  | `log ${LogKind}`;

interface RoleRow {
  /** As the documentation says it. */
  readonly what: string;
  readonly rights: readonly Right[];
  readonly roles: readonly Role[];
  /** Roles that may have it when their credential says so. */
  readonly optional?: readonly Role[];
}

/**
 * The one table of who may do what. Every request is judged by it, docs/reference/server-protocol.md shows it, and tests try
 * each cell over each carrier. Nobody overwrites, and nobody deletes but what a SWEEP in the log names.
 */
export const ROLE_TABLE: readonly RoleRow[] = [
  { what: 'status: size, quota, freshness', rights: ['status'], roles: ['append', 'read', 'maintain', 'monitor'] },
  {
    what: 'get and list `config`, `log`, `index`',
    rights: ['read structure'],
    roles: ['append', 'read', 'maintain'],
  },
  { what: 'get and list `packs`', rights: ['read packs'], roles: ['read', 'maintain'], optional: ['append'] },
  { what: 'get and list `keys`', rights: ['read keys'], roles: ['read', 'maintain'] },
  { what: 'put `packs`, `index`', rights: ['put packs'], roles: ['append', 'maintain'] },
  { what: 'append COMMIT, INDEX', rights: ['log COMMIT', 'log INDEX'], roles: ['append', 'maintain'] },
  { what: 'append RESCUE', rights: ['log RESCUE'], roles: ['append', 'read', 'maintain'] },
  { what: 'append PIN, UNPIN of its own', rights: ['log PIN', 'log UNPIN'], roles: ['read', 'maintain'] },
  {
    what: 'append DELETE, UNDELETE, ANNOTATE, CONDEMN, SWEEP, CHECK',
    rights: ['log DELETE', 'log UNDELETE', 'log ANNOTATE', 'log CONDEMN', 'log SWEEP', 'log CHECK'],
    roles: ['maintain'],
  },
  { what: 'put `config`, once', rights: ['put config'], roles: ['maintain'] },
  { what: 'put and delete `keys`', rights: ['change keys'], roles: ['maintain'] },
  { what: 'delete `packs`, `index` that a SWEEP names', rights: ['remove swept'], roles: ['maintain'] },
];

/** @param withOptions whether the credential has what its role may have. */
export function mayDo(role: Role, right: Right, withOptions: boolean): boolean {
  return ROLE_TABLE.some(
    (row) =>
      row.rights.includes(right) &&
      (row.roles.includes(role) || (withOptions && row.optional?.includes(role) === true)),
  );
}
