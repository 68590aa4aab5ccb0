import { CairnError } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import { wholeText } from './dump-file.ts';
import type { PostgresqlDump } from './dump-schema.ts';
import type { ManifestFile } from './manifest.ts';
import {
  countTables,
  FIRST_DATABASE,
  listPostgresql,
  listPostgresqlShared,
  otherDatabase,
  postgresqlName,
  postgresqlServer,
  postgresqlText,
  PSQL,
  requirePostgresqlProgram,
  UTF8,
  type PostgresqlDatabase,
  type PostgresqlServer,
} from './postgresql-server.ts';
import {
  archivePath,
  bytesOfFile,
  give,
  wantedFiles,
  wantsAccounts,
  type RestoreSetup,
  type RestoreStep,
} from './restore-plan.ts';
import { withoutExisting } from './sql-statements.ts';

type Setup = RestoreSetup<PostgresqlDump>;

/** Bytes of roles and tablespaces: 100,000 roles. */
const GLOBALS_BYTES = 64 * 1024 * 1024;

/**
 * How a dump goes back into PostgreSQL: roles first, since they own what follows. Rejects with `USAGE`, `PATH_MISSING`, `HOST_UNSUPPORTED`
 * and `SOURCE_UNREADABLE`; what stands in the way is in the steps.
 */
export async function planPostgresqlRestore(setup: Setup, context: DumpContext): Promise<readonly RestoreStep[]> {
  const server = await postgresqlServer(setup.definition, context);
  const found = await listPostgresql(server);
  const steps: RestoreStep[] = [];
  if (wantsAccounts(setup.request)) {
    const accounts = setup.manifest.files.filter(({ part }) => part === 'accounts');
    steps.push(...accounts.map((file) => globalsStep(setup, server, file)));
  }
  for (const file of wantedFiles(setup)) steps.push(await databaseStep(setup, server, context, found, file));
  return steps;
}

async function databaseStep(
  setup: Setup,
  server: PostgresqlServer,
  context: DumpContext,
  found: readonly PostgresqlDatabase[],
  file: ManifestFile,
): Promise<RestoreStep> {
  const [name = ''] = file.databases;
  const target = setup.request.into ?? name;
  const plain = file.facts['format'] === 'plain';
  if (plain && target !== name) {
    throw new CairnError('USAGE', `the dump of ${name} is plain SQL, which names its database`, {
      hint: 'Restore it under its own name, or dump with `format = "custom"`.',
    });
  }
  const exists = found.some((database) => database.name === target);
  const tables = exists ? await countTables(server, target) : 0;
  const { tool, psql, connection } = server;
  const outside = connection(otherDatabase(target));
  return {
    what: `database ${name} into ${target}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...(tables > 0 ? { standing: `the database ${target} with ${tables} tables, indexes and the like` } : {}),
    half: `the database ${target}, with a part of its content`,
    async apply() {
      if (exists) await execute(server, outside, `DROP DATABASE ${postgresqlName(target)} WITH (FORCE)`);
      const input = bytesOfFile(setup, file);
      if (plain) {
        await give(tool, psql, [...PSQL, `--dbname=${outside}`, '--file=-'], input);
        return;
      }
      const restore = await requirePostgresqlProgram(context, 'pg_restore');
      const options = ['--no-password', '--exit-on-error'];
      if (target === name) {
        await give(tool, restore, [...options, '--create', `--dbname=${outside}`], input);
        return;
      }
      await execute(server, outside, creation(target, file.facts));
      await give(tool, restore, [...options, '--single-transaction', `--dbname=${connection(target)}`], input);
    },
  };
}

/** A database as the other one was; its owner, rights and settings are not known to pg_restore here. */
function creation(name: string, { encoding, collate, ctype }: ManifestFile['facts']): string {
  const options = [
    ['ENCODING', encoding],
    ['LC_COLLATE', collate],
    ['LC_CTYPE', ctype],
  ].flatMap(([option, value]) => (value === undefined ? [] : [`${option} ${postgresqlText(value)}`]));
  return `CREATE DATABASE ${postgresqlName(name)} TEMPLATE template0 ${options.join(' ')}`;
}

function globalsStep(setup: Setup, server: PostgresqlServer, file: ManifestFile): RestoreStep {
  const change = setup.request.overwrite === true;
  return {
    what: `roles and tablespaces; those that exist ${change ? 'are changed' : 'stay as they are'}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    half: 'some of the roles',
    async apply() {
      const text = await wholeText(bytesOfFile(setup, file), GLOBALS_BYTES);
      const kept = withoutExisting(text, await listPostgresqlShared(server), change);
      const { tool, psql, connection } = server;
      const args = [...PSQL, `--dbname=${connection(FIRST_DATABASE)}`, '--file=-'];
      await give(tool, psql, args, oneText(kept));
    },
  };
}

async function execute({ tool, psql }: PostgresqlServer, connection: string, statement: string): Promise<void> {
  await give(tool, psql, [...PSQL, `--dbname=${connection} ${UTF8}`, `--command=${statement}`]);
}

async function* oneText(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
