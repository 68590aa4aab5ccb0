import type { DumpContext } from './dump-context.ts';
import type { MysqlDump } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { requireProgram, type Program } from './programs.ts';

/** Databases that the server makes itself: its views of itself, and its accounts, which are dumped in another way. */
export const MYSQL_SYSTEM = ['information_schema', 'performance_schema', 'sys', 'mysql'];

/** A database of MariaDB or MySQL. */
export interface MysqlDatabase {
  readonly name: string;
  readonly charset: string;
  readonly collation: string;
  readonly tables: number;
}

/** What to reach a server of MariaDB or MySQL with. */
export interface MysqlServer {
  readonly tool: DumpTool;
  readonly client: Program;
  /** Options of every program, which say where the server is. The file with the password must come first. */
  readonly address: readonly string[];
}

/** Rejects with `HOST_UNSUPPORTED` when no client is installed. */
export async function mysqlServer(definition: MysqlDump, context: DumpContext): Promise<MysqlServer> {
  const { host, port, socket, user } = definition;
  const credentials = definition['credentials-file'];
  const tool = await DumpTool.create(context, {
    runAs: definition['run-as'],
    credentialsFile: credentials,
    timeoutMs: definition['time-limit'],
  });
  const client = await requireProgram(context, ['mariadb', 'mysql'], 'mariadb-client');
  const options: readonly (readonly [string, string | number | undefined])[] = [
    ['defaults-extra-file', credentials],
    ['host', host],
    ['port', port],
    ['socket', socket],
    ['user', user],
  ];
  const address = options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  return { tool, client, address };
}

/** Names in hexadecimal: they may hold any character, line breaks among them. */
const LIST = `
  SELECT HEX(s.schema_name), s.default_character_set_name, s.default_collation_name,
    (SELECT COUNT(*) FROM information_schema.tables t WHERE t.table_schema = s.schema_name)
  FROM information_schema.schemata s ORDER BY s.schema_name`;

/** All databases that the user sees. Rejects as `DumpTool.ask` does. */
export async function listMysql(server: MysqlServer): Promise<readonly MysqlDatabase[]> {
  const text = await query(server, LIST, 'the databases cannot be listed');
  return rowsOf(text).map(([name = '', charset = '', collation = '', tables = '0']) => ({
    name: Buffer.from(name, 'hex').toString('utf8'),
    charset,
    collation,
    tables: Number(tables),
  }));
}

const OTHER_ENGINES = `
  SELECT COUNT(*), GROUP_CONCAT(DISTINCT engine) FROM information_schema.tables
  WHERE table_type = 'BASE TABLE' AND engine <> 'InnoDB' AND engine <> 'SEQUENCE'
    AND table_schema NOT IN ('information_schema', 'performance_schema', 'sys', 'mysql')`;

/** A sentence about tables that no transaction covers; undefined when there are none. */
export async function tablesWithoutTransactions(server: MysqlServer): Promise<string | undefined> {
  const [[count = '0', engines = ''] = []] = rowsOf(await query(server, OTHER_ENGINES, 'the tables cannot be listed'));
  if (count === '0') return undefined;
  return `${count} tables are not InnoDB but ${engines}: what is written to them during the dump may be in it by halves`;
}

/** The answer to a statement, in rows of values between tabs. */
async function query({ tool, client, address }: MysqlServer, statement: string, what: string): Promise<string> {
  const options = ['--batch', '--skip-column-names', '--default-character-set=utf8mb4'];
  return await tool.ask(client, [...address, ...options, `--execute=${statement}`], what);
}

function rowsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => line.split('\t'));
}

/** A name as SQL takes it. */
export function mysqlName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
