import type { DumpContext } from './dump-context.ts';
import { chooseDatabases } from './choose-databases.ts';
import { programOutput, type DumpFile } from './dump-file.ts';
import type { MysqlDump } from './dump-schema.ts';
import type { DumpPlan } from './dump-plan.ts';
import { fileNameOf } from './file-name.ts';
import {
  listMysql,
  MYSQL_SYSTEM,
  mysqlServer,
  tablesWithoutTransactions,
  type MysqlDatabase,
  type MysqlServer,
} from './mysql-server.ts';
import { endsWithMark } from './output-ends.ts';
import { requireProgram, type Program } from './programs.ts';

/** What the programs write when they have written all else; `--comments` makes them. */
const DONE = '-- Dump completed';

/**
 * One transaction sees all InnoDB tables at one moment and locks none. Text and blobs survive any connection. Without the date
 * an unchanged database gives the same bytes.
 */
const OPTIONS = [
  '--single-transaction',
  '--quick',
  '--routines',
  '--events',
  '--triggers',
  '--hex-blob',
  '--default-character-set=utf8mb4',
  '--max-allowed-packet=1G',
  '--comments',
  '--skip-dump-date',
];

/** Only MySQL knows these: a dump that another server takes, made with the rights that a dump needs. */
const MYSQL_OPTIONS = ['--set-gtid-purged=OFF', '--no-tablespaces'];

/** What is to be dumped of MariaDB or MySQL. Rejects with `HOST_UNSUPPORTED` and `SOURCE_UNREADABLE`. */
export async function planMysql(definition: MysqlDump, context: DumpContext): Promise<DumpPlan> {
  const server = await mysqlServer(definition, context);
  const program = await requireProgram(context, ['mariadb-dump', 'mysqldump'], 'mariadb-client');
  const version = await server.tool.version(program);
  const isMariadb = /mariadb/i.test(version);
  const found = await listMysql(server);
  const chosen = chooseDatabases(found, definition, MYSQL_SYSTEM);
  const warning = await tablesWithoutTransactions(server);
  if (warning !== undefined) context.onWarning?.(warning);
  const options = [...OPTIONS, ...(isMariadb ? [] : MYSQL_OPTIONS), ...(definition.options ?? [])];
  const files =
    definition['per-database'] === true
      ? chosen.map((database) => fileOf(server, program, options, database))
      : allInOne(server, program, options, chosen);
  const accounts = definition.accounts ?? definition.databases === undefined;
  return {
    program: version,
    files: accounts ? [...files, accountsFile(server, program, options, isMariadb)] : files,
  };
}

/** A database alone: without its name in the file, so that it can go back under another one. */
function fileOf(server: MysqlServer, program: Program, options: readonly string[], database: MysqlDatabase): DumpFile {
  const { name, charset, collation } = database;
  return {
    path: `databases/${fileNameOf(name)}.sql`,
    part: 'database',
    databases: [name],
    facts: { charset, collation },
    open: output(server, program, [...options, '--', name]),
  };
}

function allInOne(
  server: MysqlServer,
  program: Program,
  options: readonly string[],
  databases: readonly MysqlDatabase[],
): readonly DumpFile[] {
  if (databases.length === 0) return [];
  const names = databases.map(({ name }) => name);
  return [
    {
      path: 'databases.sql',
      part: 'databases',
      databases: names,
      facts: Object.fromEntries(
        databases.flatMap(({ name, charset, collation }) => [
          [`charset ${name}`, charset],
          [`collation ${name}`, collation],
        ]),
      ),
      open: output(server, program, [...options, '--databases', '--', ...names]),
    },
  ];
}

/** MariaDB writes accounts as statements, which later versions take; of MySQL there is its database of accounts. */
function accountsFile(server: MysqlServer, program: Program, options: readonly string[], isMariadb: boolean): DumpFile {
  const args = isMariadb
    ? ['--insert-ignore', '--system=users', '--comments', '--skip-dump-date']
    : [...options, '--flush-privileges', '--databases', '--', 'mysql'];
  return {
    path: 'accounts.sql',
    part: 'accounts',
    databases: [],
    facts: { form: isMariadb ? 'statements' : 'database' },
    open: output(server, program, args),
  };
}

function output({ tool, address }: MysqlServer, program: Program, args: readonly string[]): DumpFile['open'] {
  return programOutput(tool, tool.call(program, [...address, ...args]), endsWithMark(DONE));
}
