import { LIMITS } from '@cairn/core';
import { posix } from 'node:path';
import { z } from 'zod';

import { command, path, text, timeLimit } from '../job-file/values.ts';

/** Names of dumps: they become a directory of the archive. */
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Names of users, as `useradd` takes them (shadow, NAME_REGEX). */
const USER = /^[a-z_][a-z0-9_-]{0,31}$/;

const common = {
  name: z
    .string()
    .regex(NAME, 'must be small letters, digits and -')
    .optional()
    .describe(
      'Name of the dump, as it stands in the archive below `/dumps/KIND/` and in `cairn job restore-dump`. The kind unless given.',
    ),
  'time-limit': timeLimit
    .optional()
    .describe(
      'How long each program of the dump may take, as in `2h`. What takes longer is ended, and nothing of it is stored.',
    ),
  'run-as': z
    .string()
    .regex(USER, 'must be the name of a user')
    .optional()
    .describe(
      'User of the system that the programs run as; only for a job that runs as root. For `postgresql` mostly `postgres`.',
    ),
};

const selection = {
  databases: z.array(text).min(1).optional().describe('Only these databases. One that does not exist fails the dump.'),
  'exclude-databases': z.array(text).optional().describe('All databases but these.'),
};

const address = {
  host: text.optional().describe('Name or address of the server, or for PostgreSQL the directory of its socket.'),
  port: z.int().min(1).max(65_535).optional().describe('Port of the server.'),
  user: text.optional().describe('User of the database server.'),
};

const extra = {
  options: z
    .array(text)
    .optional()
    .describe('More options for the program that dumps. Never a password: other users of the machine see them.'),
};

const mysqlDumpSchema = z
  .strictObject({
    kind: z.literal('mysql').describe('MariaDB or MySQL.'),
    ...common,
    ...selection,
    ...address,
    socket: path.optional().describe('Socket of the server.'),
    'credentials-file': path
      .optional()
      .describe(
        'Option file with a group `[client]` that holds user and password, given by `--defaults-extra-file`. Without it the programs read the usual ones.',
      ),
    'per-database': z
      .boolean()
      .optional()
      .describe(
        'A file for each database, which can be restored alone and under another name; otherwise all are in one. Default: false.',
      ),
    accounts: z
      .boolean()
      .optional()
      .describe('Also users, roles and grants. Default: true, unless `databases` is given.'),
    ...extra,
  })
  .describe('A dump of MariaDB or MySQL by `mariadb-dump` or `mysqldump`.');

const postgresqlDumpSchema = z
  .strictObject({
    kind: z.literal('postgresql').describe('PostgreSQL.'),
    ...common,
    ...selection,
    ...address,
    service: text.optional().describe('Name of a service in the service file.'),
    'service-file': path.optional().describe('Connection service file (`PGSERVICEFILE`).'),
    'credentials-file': path
      .optional()
      .describe('Password file (`PGPASSFILE`), which only its owner may read. Without it `~/.pgpass` is read.'),
    format: z
      .enum(['custom', 'plain'])
      .optional()
      .describe(
        '`custom` can be restored under another name; `plain` is SQL text. Default: custom, not compressed, so that it deduplicates.',
      ),
    accounts: z
      .boolean()
      .optional()
      .describe(
        'Also roles and tablespaces (`pg_dumpall --globals-only`). Default: true, unless `databases` is given.',
      ),
    ...extra,
  })
  .describe('A dump of PostgreSQL by `pg_dump`, a file for each database, and `pg_dumpall` for what they share.');

const mongodbDumpSchema = z
  .strictObject({
    kind: z.literal('mongodb').describe('MongoDB.'),
    ...common,
    ...address,
    'credentials-file': path.optional().describe('YAML file with `password` or `uri`, given by `--config`.'),
    database: text.optional().describe('Only this database; all unless given.'),
    ...extra,
  })
  .describe('A dump of MongoDB by `mongodump --archive`.');

const openldapDumpSchema = z
  .strictObject({
    kind: z.literal('openldap').describe('OpenLDAP.'),
    ...common,
    'config-directory': path.optional().describe('Configuration directory of slapd (`-F`). Default: the one built in.'),
    'config-file': path.optional().describe('Old configuration file of slapd (`-f`), in the place of the directory.'),
    ...extra,
  })
  .describe('A dump of OpenLDAP by `slapcat`: its configuration, and each database that holds entries.');

const sqliteDumpSchema = z
  .strictObject({
    kind: z.literal('sqlite').describe('SQLite.'),
    ...common,
    files: z
      .array(path.transform((value) => posix.normalize(value)))
      .min(1)
      .refine((files) => new Set(files).size === files.length, 'names a file twice')
      .describe('Database files. Each may be written while it is copied.'),
    'temporary-directory': path
      .optional()
      .describe(
        'Where the copy stands until it is stored; it needs as much room as the largest file. Default: that of the system.',
      ),
  })
  .describe('A consistent copy of SQLite databases by the online backup of `sqlite3`.');

const commandDumpSchema = z
  .strictObject({
    kind: z.literal('command').describe('Any program.'),
    ...common,
    command: command.describe('The program and its arguments, without a shell. Only status 0 counts.'),
    'file-name': z
      .string()
      .regex(/^[^/\0]+$/, 'must be a name without a slash')
      .refine((name) => Buffer.byteLength(name) <= LIMITS.nameBytes, 'is too long for a file')
      .refine((name) => !['.', '..', 'manifest.json'].includes(name), 'is taken')
      .optional()
      .describe('Name of the file in the archive. Default: output.'),
    'ends-with': z
      .string()
      .min(1)
      .max(1_000)
      .optional()
      .describe('Text that the last 4 KiB of the output must hold; otherwise it counts as cut off.'),
    'restore-command': command
      .optional()
      .describe(
        'The program that takes the output back, on standard input. `cairn job restore-dump` runs it, with --overwrite only.',
      ),
  })
  .describe('What a program prints.');

/** One `[[dumps]]` table of a job file. */
export const dumpSchema = z.discriminatedUnion('kind', [
  mysqlDumpSchema,
  postgresqlDumpSchema,
  mongodbDumpSchema,
  openldapDumpSchema,
  sqliteDumpSchema,
  commandDumpSchema,
]);

/** All `[[dumps]]` tables of a job file; their names differ. */
export const dumpsSchema = z
  .array(dumpSchema)
  .refine(
    (dumps) => new Set(dumps.map(dumpName)).size === dumps.length,
    'two dumps have the same name: give them `name`',
  );

export type MysqlDump = z.output<typeof mysqlDumpSchema>;
export type PostgresqlDump = z.output<typeof postgresqlDumpSchema>;
export type MongodbDump = z.output<typeof mongodbDumpSchema>;
export type OpenldapDump = z.output<typeof openldapDumpSchema>;
export type SqliteDump = z.output<typeof sqliteDumpSchema>;
export type CommandDump = z.output<typeof commandDumpSchema>;
export type DumpDefinition = z.output<typeof dumpSchema>;
export type DumpKind = DumpDefinition['kind'];

/** Name of a dump within its job. */
export function dumpName(dump: Pick<DumpDefinition, 'kind' | 'name'>): string {
  return dump.name ?? dump.kind;
}

/** Directory of a dump in the archive. */
export function dumpDirectory(dump: Pick<DumpDefinition, 'kind' | 'name'>): string {
  return `/dumps/${dump.kind}/${dumpName(dump)}`;
}
