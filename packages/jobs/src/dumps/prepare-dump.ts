import { fromUtf8 } from '@cairn/core';

import { planCommand } from './command-dump.ts';
import type { DumpContext, PreparedDump } from './dump-context.ts';
import { contentOfFile } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import { dumpDirectory, dumpName, type DumpDefinition } from './dump-schema.ts';
import { MANIFEST, ManifestWriter } from './manifest.ts';
import { planMongodb } from './mongodb.ts';
import { planMysql } from './mysql-dump.ts';
import { planOpenldap } from './openldap-dump.ts';
import { planPostgresql } from './postgresql-dump.ts';
import { planSqlite } from './sqlite-dump.ts';

/**
 * Looks at what is to be dumped, and makes contents of a backup of it: a file for each database or for all, and at last a list of what
 * was stored. Nothing is dumped before a content is opened. A content fails when its program does, takes too long, or
 * prints what is not whole; then nothing of it is stored.
 * Rejects with `HOST_UNSUPPORTED` when a program is missing, with `SOURCE_UNREADABLE` when the server cannot be asked or lacks
 * a database that the job names, and with `CANCELLED`.
 */
export async function prepareDump(definition: DumpDefinition, context: DumpContext): Promise<PreparedDump> {
  const name = dumpName(definition);
  const directory = dumpDirectory(definition);
  const { program, files } = await planOf(definition, context);
  if (files.length === 0) context.onWarning?.(`${name}: there is no database to dump`);
  const manifest = new ManifestWriter({ kind: definition.kind, name, program });
  const contents = files.map((file) => ({
    path: `${directory}/${file.path}`,
    source: contentOfFile(directory, file, manifest),
  }));
  // A command has one file, whose name the job says.
  if (definition.kind === 'command' || files.length === 0) return { name, contents };
  const path = `${directory}/${MANIFEST}`;
  return { name, contents: [...contents, { path, source: { path: fromUtf8(path), open: () => manifest.open() } }] };
}

async function planOf(definition: DumpDefinition, context: DumpContext): Promise<DumpPlan> {
  switch (definition.kind) {
    case 'mysql':
      return await planMysql(definition, context);
    case 'postgresql':
      return await planPostgresql(definition, context);
    case 'mongodb':
      return await planMongodb(definition, context);
    case 'openldap':
      return await planOpenldap(definition, context);
    case 'sqlite':
      return await planSqlite(definition, context);
    case 'command':
      return await planCommand(definition, context);
  }
}
