import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../errors.ts';

/** User and group names by id and back. Ids without a name, and names without an id, give undefined. */
export interface UserTable {
  userName(uid: number): string | undefined;
  groupName(gid: number): string | undefined;
  userId(name: string): number | undefined;
  groupId(name: string): number | undefined;
}

/** The largest id: 2^32 - 1 means "no id" to the kernel (chown(2)). */
const MAX_ID = 0xffff_fffe;

interface Names {
  readonly byId: ReadonlyMap<number, string>;
  readonly byName: ReadonlyMap<string, number>;
}

/**
 * Reads `name:password:id:…` lines, as passwd(5) and group(5) share them. The first line for a name or an id wins, as
 * in the C library. Lines that are no such record (comments, `+` lines of NIS) are passed over, as there.
 */
function parseNames(text: string): Names {
  const byId = new Map<number, string>();
  const byName = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, , idText] = line.split(':');
    if (name === undefined || !/^[^#+\-\s]/.test(name) || idText === undefined || !/^\d{1,10}$/.test(idText)) continue;
    const id = Number(idText);
    if (id > MAX_ID) continue;
    if (!byId.has(id)) byId.set(id, name);
    if (!byName.has(name)) byName.set(name, id);
  }
  return { byId, byName };
}

/** A table from the texts of a passwd and a group file. Parsed once; every question is one map look-up. */
export function parseUsers(passwd: string, group: string): UserTable {
  const users = parseNames(passwd);
  const groups = parseNames(group);
  return {
    userName: (uid) => users.byId.get(uid),
    groupName: (gid) => groups.byId.get(gid),
    userId: (name) => users.byName.get(name),
    groupId: (name) => groups.byName.get(name),
  };
}

/**
 * The table of this machine, from its local files; accounts that only a directory service knows have no name here.
 * Read at each call: keep the table for one run. A missing file (a bare container) means no names.
 */
export function systemUsers(): UserTable {
  return parseUsers(readIfThere('/etc/passwd'), readIfThere('/etc/group'));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
