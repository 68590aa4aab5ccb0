import type { DumpContext } from './dump-context.ts';
import type { PostgresqlDump } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { requireProgram, type Program } from './programs.ts';

/** A database of PostgreSQL. */
export interface PostgresqlDatabase {
  readonly name: string;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
}

/** What to reach a server of PostgreSQL with. */
export interface PostgresqlServer {
  readonly tool: DumpTool;
  readonly psql: Program;
  /** A connection string for a database. */
  connection(database: string): string;
}

/** The database that there is from the beginning, and the template of all others (initdb(1)). */
export const FIRST_DATABASE = 'postgres';
const TEMPLATE = 'template1';

const DEBIAN_PACKAGE = 'postgresql-client';

/** Where the server is goes by the environment, which all programs read (libpq, 34.15); none of it is a secret. */
export async function postgresqlServer(definition: PostgresqlDump, context: DumpContext): Promise<PostgresqlServer> {
  const { host, port, user, service } = definition;
  const credentials = definition['credentials-file'];
  const tool = await DumpTool.create(context, {
    runAs: definition['run-as'],
    credentialsFile: credentials,
    timeoutMs: definition['time-limit'],
    env: {
      PGPASSFILE: credentials,
      PGSERVICEFILE: definition['service-file'],
      PGHOST: host,
      PGPORT: port === undefined ? undefined : String(port),
      // Without it libpq takes USER of the environment, which is that of root although another user runs the program.
      PGUSER: user ?? definition['run-as'],
      PGCONNECT_TIMEOUT: '30',
      PGAPPNAME: 'cairn',
    },
  });
  const psql = await requireProgram(context, ['psql'], DEBIAN_PACKAGE);
  const connection = (database: string): string =>
    [...(service === undefined ? [] : [`service=${quoted(service)}`]), `dbname=${quoted(database)}`].join(' ');
  return { tool, psql, connection };
}

export async function requirePostgresqlProgram(context: DumpContext, name: string): Promise<Program> {
  return await requireProgram(context, [name], DEBIAN_PACKAGE);
}

/** A value of a connection string (libpq, 34.1.1.1). A bare name with `=` would be read as one. */
function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** Names go to the server as UTF-8, whatever it stores them as. Dumps say their encoding by themselves. */
export const UTF8 = 'client_encoding=UTF8';

/** Options of psql for programs: no settings of the user, no password prompt, stop at the first error. */
export const PSQL = ['--no-psqlrc', '--no-password', '--quiet', '--set=ON_ERROR_STOP=1'];

/** The rows of an answer, with values between tabs. Rejects as `DumpTool.ask` does. */
async function queryPostgresql(
  { tool, psql, connection }: PostgresqlServer,
  database: string,
  statement: string,
  what: string,
): Promise<string[][]> {
  const options = ['--tuples-only', '--no-align', '--field-separator=\t', `--dbname=${connection(database)} ${UTF8}`];
  const text = await tool.ask(psql, [...PSQL, ...options, `--command=${statement}`], what);
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.split('\t'));
}

/** In hexadecimal: names may hold any character. */
const LIST = `SELECT encode(convert_to(datname, 'UTF8'), 'hex'), pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database
  WHERE datallowconn AND NOT datistemplate ORDER BY datname`;

const ROLES = `SELECT encode(convert_to(rolname, 'UTF8'), 'hex') FROM pg_roles`;
const TABLESPACES = `SELECT encode(convert_to(spcname, 'UTF8'), 'hex') FROM pg_tablespace`;

const OWN_TABLES = `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`;

/** All databases that take connections and are no templates. Rejects as `DumpTool.ask` does. */
export async function listPostgresql(server: PostgresqlServer): Promise<readonly PostgresqlDatabase[]> {
  const rows = await queryPostgresql(server, FIRST_DATABASE, LIST, 'the databases cannot be listed');
  return rows.map(([name = '', encoding = '', collate = '', ctype = '']) => {
    return { name: Buffer.from(name, 'hex').toString('utf8'), encoding, collate, ctype };
  });
}

/** The roles and tablespaces that there are. Rejects as `DumpTool.ask` does. */
export async function listPostgresqlShared(
  server: PostgresqlServer,
): Promise<{ readonly roles: ReadonlySet<string>; readonly tablespaces: ReadonlySet<string> }> {
  const roles = await names(server, ROLES, 'the roles cannot be listed');
  const tablespaces = await names(server, TABLESPACES, 'the tablespaces cannot be listed');
  return { roles: new Set(roles), tablespaces: new Set(tablespaces) };
}

/** Tables, views and the like that users made in a database. Rejects as `DumpTool.ask` does. */
export async function countTables(server: PostgresqlServer, database: string): Promise<number> {
  const [[count = '0'] = []] = await queryPostgresql(server, database, OWN_TABLES, `${database} cannot be looked at`);
  return Number(count);
}

async function names(server: PostgresqlServer, statement: string, what: string): Promise<string[]> {
  const rows = await queryPostgresql(server, FIRST_DATABASE, statement, what);
  return rows.map(([name = '']) => Buffer.from(name, 'hex').toString('utf8'));
}

/** A database to be connected to while another one is made or dropped. */
export function otherDatabase(name: string): string {
  return name === FIRST_DATABASE ? TEMPLATE : FIRST_DATABASE;
}

/** A name as SQL takes it. */
export function postgresqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as SQL takes it. */
export function postgresqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
