import { CairnError } from '@cairn/core';
import { isBuiltin } from 'node:module';

type Sqlite = Pick<typeof import('@photostructure/sqlite'), 'DatabaseSync'>;

export type Database = InstanceType<Sqlite['DatabaseSync']>;

/** Not a literal: the types here are of Node 20, which has no such module. */
const BUILT_IN: string = 'node:sqlite';

/** SQLite: Node's own where it has one (from 22.13 on), else the same interface as a package with a library in it. */
export async function loadSqlite(): Promise<Sqlite> {
  if (isBuiltin(BUILT_IN)) return (await import(BUILT_IN)) as Sqlite;
  return await import('@photostructure/sqlite');
}

/** Result codes of SQLite, the lower byte of the extended ones (sqlite.org/rescode.html). */
const SQLITE = { busy: 5, readOnly: 8, inputOutput: 10, corrupt: 11, full: 13, cannotOpen: 14 } as const;

/** What an error of the database at `path` means for who asked; undefined for one that is a mistake of the program. */
export function databaseError(error: unknown, path: string): CairnError | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  const code = error.errcode & 0xff;
  if (code === SQLITE.full) {
    const hint = 'Free space on its disk. What was there before is kept; nothing of this was done.';
    return new CairnError('STORE_FULL', `the disk of the panel’s database ${path} is full`, { hint, cause: error });
  }
  const { busy, readOnly, inputOutput, corrupt, cannotOpen } = SQLITE;
  if (!([busy, readOnly, inputOutput, corrupt, cannotOpen] as readonly number[]).includes(code)) return undefined;
  return new CairnError('STORE_FAILED', `the panel’s database ${path} does not work: ${error.message}`, {
    hint: 'Look at its disk, its owner, and whether another program holds it.',
    cause: error,
  });
}
