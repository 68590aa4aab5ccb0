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
