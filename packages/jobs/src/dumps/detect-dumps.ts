import { isCairnError } from '@cairn/core';

import { programVariables, type DumpContext } from './dump-context.ts';
import type { DumpDefinition } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { listMongodb } from './mongodb.ts';
import { listMysql, MYSQL_SYSTEM, mysqlServer } from './mysql-server.ts';
import { ldapServer, listLdap, SLAPD_VERSION } from './openldap-server.ts';
import { listPostgresql, postgresqlServer } from './postgresql-server.ts';
import { findProgram } from './programs.ts';
import { runProgram } from './run-program.ts';

/** A kind of database that is on this machine, or whose programs are. */
export interface DetectedDatabase {
  readonly kind: Exclude<DumpDefinition['kind'], 'command'>;
  /** The program that dumps it, with its version; undefined when it is not installed. */
  readonly program: string | undefined;
  /** True when the server itself is installed here. */
  readonly server: boolean;
  /** Names of its databases; undefined when they could not be read. */
  readonly databases: readonly string[] | undefined;
  /** Why they could not be read, or why it cannot be dumped. */
  readonly problem: string | undefined;
  /** Lines for a job file that dump it. */
  readonly example: string;
}

interface Kind {
  readonly kind: DetectedDatabase['kind'];
  readonly servers: readonly string[];
  readonly programs: readonly string[];
  /** How the program says its version, or the server where the program does not. */
  readonly version: readonly string[];
  readonly serverSaysVersion?: boolean;
  /** Lines of a job file below `[[dumps]]`. */
  readonly lines: readonly string[];
  list(context: DumpContext): Promise<readonly string[]>;
}

/**
 * Which databases are installed, and what they hold: tried with the usual access of the user that this runs as, and for
 * PostgreSQL as the user `postgres` when that is root. Rejects with `CANCELLED`.
 */
export async function detectDumps(context: DumpContext): Promise<readonly DetectedDatabase[]> {
  const runAs = await postgresUser(context);
  const found: DetectedDatabase[] = [];
  for (const kind of kindsOf(runAs)) {
    const detected = await detect(kind, context);
    if (detected !== undefined) found.push(detected);
  }
  return found;
}

function kindsOf(runAs: string | undefined): readonly Kind[] {
  const user = runAs === undefined ? {} : { 'run-as': runAs };
  return [
    {
      kind: 'mysql',
      servers: ['mariadbd', 'mysqld'],
      programs: ['mariadb-dump', 'mysqldump'],
      version: ['--version'],
      lines: [],
      async list(context) {
        const databases = await listMysql(await mysqlServer({ kind: 'mysql' }, context));
        return databases.map(({ name }) => name).filter((name) => !MYSQL_SYSTEM.includes(name));
      },
    },
    {
      kind: 'postgresql',
      servers: ['postgres', 'pg_ctlcluster'],
      programs: ['pg_dump'],
      version: ['--version'],
      lines: runAs === undefined ? [] : [`run-as = "${runAs}"`],
      async list(context) {
        const databases = await listPostgresql(await postgresqlServer({ kind: 'postgresql', ...user }, context));
        return databases.map(({ name }) => name);
      },
    },
    {
      kind: 'mongodb',
      servers: ['mongod'],
      programs: ['mongodump'],
      version: ['--version'],
      lines: [],
      async list(context) {
        const collections = await listMongodb({ kind: 'mongodb' }, context);
        return [...new Set(collections.map(({ database }) => database))];
      },
    },
    {
      kind: 'openldap',
      servers: ['slapd'],
      programs: ['slapcat'],
      version: SLAPD_VERSION,
      serverSaysVersion: true,
      lines: [],
      async list(context) {
        return (await listLdap(await ldapServer({ kind: 'openldap' }, context))).map(({ suffix }) => suffix);
      },
    },
    {
      kind: 'sqlite',
      servers: [],
      programs: ['sqlite3'],
      version: ['-version'],
      lines: ['files = ["/path/of/a/database"]'],
      // They are files of programs, anywhere.
      list: () => Promise.resolve([]),
    },
  ];
}

async function detect(kind: Kind, context: DumpContext): Promise<DetectedDatabase | undefined> {
  const [server, program] = [await findProgram(context, kind.servers), await findProgram(context, kind.programs)];
  if (server === undefined && program === undefined) return undefined;
  const example = ['[[dumps]]', `kind = "${kind.kind}"`, ...kind.lines].join('\n');
  const known = { kind: kind.kind, server: server !== undefined, example };
  if (program === undefined) {
    return {
      ...known,
      program: undefined,
      databases: undefined,
      problem: `${kind.programs.join(' or ')} is not installed`,
    };
  }
  const tool = await DumpTool.create(context, {});
  const says = kind.serverSaysVersion === true ? server : program;
  const version = (says && (await tool.version(says, kind.version))) || program.name;
  try {
    return { ...known, program: version, databases: await kind.list(context), problem: undefined };
  } catch (error) {
    if (!isCairnError(error) || error.code === 'CANCELLED') throw error;
    return { ...known, program: version, databases: undefined, problem: error.message };
  }
}

/** The user whom a PostgreSQL of the system lets in without a password, when this may become that user. */
async function postgresUser({ variables, signal }: DumpContext): Promise<string | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const { ok } = await runProgram({ command: ['id', '-u', 'postgres'], env: programVariables(variables), signal });
  return ok ? 'postgres' : undefined;
}
