import { chooseDatabases } from './choose-databases.ts';
import type { DumpContext } from './dump-context.ts';
import { programOutput, type DumpFile } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import type { PostgresqlDump } from './dump-schema.ts';
import { fileNameOf } from './file-name.ts';
import { endsWithMark, isCustomFormat } from './output-ends.ts';
import { FIRST_DATABASE, listPostgresql, postgresqlServer, requirePostgresqlProgram } from './postgresql-server.ts';

/** What the programs write when they have written all else (pg_dump.c, pg_dumpall.c). */
const DATABASE_DONE = '-- PostgreSQL database dump complete';
const CLUSTER_DONE = '-- PostgreSQL database cluster dump complete';

/** Compressed data would not deduplicate, and Cairn compresses by itself. */
const FORMATS = {
  custom: { options: ['--format=custom', '--compress=0'], ending: '.dump', check: isCustomFormat },
  // With the statements that make the database, since nothing else keeps its settings and rights.
  plain: { options: ['--format=plain', '--create'], ending: '.sql', check: endsWithMark(DATABASE_DONE) },
} as const;

/** What is to be dumped of PostgreSQL. Rejects with `HOST_UNSUPPORTED` and `SOURCE_UNREADABLE`. */
export async function planPostgresql(definition: PostgresqlDump, context: DumpContext): Promise<DumpPlan> {
  const server = await postgresqlServer(definition, context);
  const { tool, connection } = server;
  const program = await requirePostgresqlProgram(context, 'pg_dump');
  const { format = 'custom', options = [] } = definition;
  const { options: formatOptions, ending, check } = FORMATS[format];
  const chosen = chooseDatabases(await listPostgresql(server), definition, []);
  const files: DumpFile[] = chosen.map(({ name, ...facts }) => {
    const args = ['--no-password', ...formatOptions, ...options, `--dbname=${connection(name)}`];
    return {
      path: `databases/${fileNameOf(name)}${ending}`,
      part: 'database',
      databases: [name],
      facts: { format, ...facts },
      open: programOutput(tool, tool.call(program, args), check),
    };
  });
  if (definition.accounts ?? definition.databases === undefined) {
    const all = await requirePostgresqlProgram(context, 'pg_dumpall');
    const args = ['--no-password', '--globals-only', `--dbname=${connection(FIRST_DATABASE)}`];
    files.push({
      path: 'globals.sql',
      part: 'accounts',
      databases: [],
      open: programOutput(tool, tool.call(all, args), endsWithMark(CLUSTER_DONE)),
    });
  }
  return { program: await tool.version(program), files };
}
