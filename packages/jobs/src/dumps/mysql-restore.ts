import { CairnError } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import type { MysqlDump } from './dump-schema.ts';
import type { ManifestFile } from './manifest.ts';
import { listMysql, mysqlName, mysqlServer, type MysqlDatabase, type MysqlServer } from './mysql-server.ts';
import {
  archivePath,
  bytesOfFile,
  give,
  wantedFiles,
  wantsAccounts,
  type RestoreSetup,
  type RestoreStep,
} from './restore-plan.ts';

type Setup = RestoreSetup<MysqlDump>;

const OPTIONS = ['--batch', '--default-character-set=utf8mb4', '--max-allowed-packet=1G'];

/**
 * How a dump goes back into MariaDB or MySQL: databases first, since grants name their tables. Rejects with `USAGE`, `PATH_MISSING`,
 * `HOST_UNSUPPORTED` and `SOURCE_UNREADABLE`; what stands in the way is in the steps.
 */
export async function planMysqlRestore(setup: Setup, context: DumpContext): Promise<readonly RestoreStep[]> {
  const server = await mysqlServer(setup.definition, context);
  const found = await listMysql(server);
  const { manifest, request } = setup;
  const together = manifest.files.find(({ part }) => part === 'databases');
  const databases =
    together === undefined
      ? wantedFiles(setup).map((file) => databaseStep(setup, server, found, file))
      : [togetherStep(setup, server, found, together)];
  if (!wantsAccounts(request)) return databases;
  const accounts = manifest.files.filter(({ part }) => part === 'accounts');
  return [...databases, ...accounts.map((file) => accountsStep(setup, server, file))];
}

function databaseStep(
  setup: Setup,
  server: MysqlServer,
  found: readonly MysqlDatabase[],
  file: ManifestFile,
): RestoreStep {
  const [name = ''] = file.databases;
  const target = setup.request.into ?? name;
  return {
    what: `database ${name} into ${target}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...standing(found, [target]),
    half: `the database ${target}, with a part of its tables`,
    async apply() {
      await remake(server, found, target, file.facts);
      await give(
        server.tool,
        server.client,
        [...server.address, ...OPTIONS, `--database=${target}`],
        bytesOfFile(setup, file),
      );
    },
  };
}

/** All databases are in one file; the client can pick one of them. */
function togetherStep(
  setup: Setup,
  server: MysqlServer,
  found: readonly MysqlDatabase[],
  file: ManifestFile,
): RestoreStep {
  const { databases: wanted = file.databases, into } = setup.request;
  const missing = wanted.filter((name) => !file.databases.includes(name));
  if (missing.length > 0) {
    throw new CairnError(
      'PATH_MISSING',
      `the dump in ${setup.view.archive.name} has no database ${missing.join(', ')}`,
      {
        hint: `It has ${file.databases.join(', ')}.`,
      },
    );
  }
  const only = setup.request.databases === undefined ? undefined : wanted[0];
  if (into !== undefined || (only !== undefined && wanted.length > 1)) {
    throw new CairnError('USAGE', 'a dump with all databases in one gives back all, or one under its own name', {
      hint: 'Restore one after the other; for another name dump with `per-database = true`.',
    });
  }
  return {
    what: `${wanted.length === 1 ? 'database' : 'databases'} ${wanted.join(', ')}`,
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...standing(found, wanted),
    half: `some of the databases ${wanted.join(', ')}, the last of them with a part of its tables`,
    async apply() {
      // The connection needs the one database from the beginning; otherwise the dump makes them.
      if (only === undefined) for (const name of wanted) await drop(server, found, name);
      else
        await remake(server, found, only, {
          charset: file.facts[`charset ${only}`],
          collation: file.facts[`collation ${only}`],
        });
      const choice = only === undefined ? [] : ['--one-database', `--database=${only}`];
      await give(server.tool, server.client, [...server.address, ...OPTIONS, ...choice], bytesOfFile(setup, file));
    },
  };
}

function accountsStep(setup: Setup, server: MysqlServer, file: ManifestFile): RestoreStep {
  const whole = file.facts['form'] === 'database';
  return {
    what: whole
      ? 'users and rights, in the place of all that are there'
      : 'users, roles and rights; those that exist keep their password',
    path: archivePath(setup, file),
    bytes: file.bytes,
    ...(whole ? { standing: 'the accounts of the server' } : {}),
    half: 'some of the accounts and rights',
    async apply() {
      await give(server.tool, server.client, [...server.address, ...OPTIONS], bytesOfFile(setup, file));
    },
  };
}

/** An empty database is in nobody's way. */
function standing(found: readonly MysqlDatabase[], names: readonly string[]): { readonly standing?: string } {
  const full = found.filter(({ name, tables }) => names.includes(name) && tables > 0);
  if (full.length === 0) return {};
  return { standing: full.map(({ name, tables }) => `the database ${name} with ${tables} tables`).join(', ') };
}

async function remake(
  server: MysqlServer,
  found: readonly MysqlDatabase[],
  name: string,
  { charset = '', collation = '' }: { readonly charset?: string | undefined; readonly collation?: string | undefined },
): Promise<void> {
  await drop(server, found, name);
  const known = /^\w+$/.test(charset) && /^\w+$/.test(collation);
  await execute(
    server,
    `CREATE DATABASE ${mysqlName(name)}${known ? ` CHARACTER SET ${charset} COLLATE ${collation}` : ''}`,
  );
}

async function drop(server: MysqlServer, found: readonly MysqlDatabase[], name: string): Promise<void> {
  if (found.some((database) => database.name === name)) await execute(server, `DROP DATABASE ${mysqlName(name)}`);
}

async function execute({ tool, client, address }: MysqlServer, statement: string): Promise<void> {
  await give(tool, client, [...address, ...OPTIONS, `--execute=${statement}`]);
}
