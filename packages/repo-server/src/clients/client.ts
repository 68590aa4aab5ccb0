import { LIMITS } from '@cairn/core/server';

import type { Role } from '../roles.ts';

/** A credential and what comes with it. Requests say none of this. */
export interface Client {
  /** Unique on this server. */
  readonly name: string;
  readonly repository: string;
  readonly role: Role;
  /** Whether it has what its role may have (roles.ts). */
  readonly withOptions: boolean;
  /** Bytes of packs and segments that it may keep in the repository; undefined: as many as there is room for. */
  readonly quotaBytes: number | undefined;
  readonly entriesPerDay: number;
  /** Milliseconds since 1970. */
  readonly expiresMs: number | undefined;
  /** Networks that it may come from (CIDR); empty: any. */
  readonly addresses: readonly string[];
}

/** A client with nothing special. */
export function plainClient(name: string, repository: string, role: Role): Client {
  return {
    name,
    repository,
    role,
    withOptions: false,
    quotaBytes: undefined,
    entriesPerDay: LIMITS.serverEntriesPerDay,
    expiresMs: undefined,
    addresses: [],
  };
}
