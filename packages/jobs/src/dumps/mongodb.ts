import { CairnError } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import { programOutput } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import type { MongodbDump } from './dump-schema.ts';
import { DumpTool } from './dump-tool.ts';
import { collectionsIn, type MongoCollection } from './mongo-archive.ts';
import { isMongoArchive } from './output-ends.ts';
import { requireProgram, type Program } from './programs.ts';
import { archivePath, bytesOfFile, give, type RestoreSetup, type RestoreStep } from './restore-plan.ts';

const DEBIAN_PACKAGE = 'mongodb-database-tools, from MongoDB';

/** Databases of the server itself. */
const SYSTEM = ['admin', 'config', 'local'];

interface MongoServer {
  readonly tool: DumpTool;
  readonly dump: Program;
  /** Options that say where the server is; the password is in the file. */
  readonly address: readonly string[];
}

async function mongoServer(definition: MongodbDump, context: DumpContext): Promise<MongoServer> {
  const credentials = definition['credentials-file'];
  const tool = await DumpTool.create(context, {
    runAs: definition['run-as'],
    credentialsFile: credentials,
    timeoutMs: definition['time-limit'],
  });
  const options: readonly (readonly [string, string | number | undefined])[] = [
    ['config', credentials],
    ['host', definition.host],
    ['port', definition.port],
    ['username', definition.user],
  ];
  return {
    tool,
    dump: await requireProgram(context, ['mongodump'], DEBIAN_PACKAGE),
    address: options.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
  };
}

/** What is to be dumped of MongoDB: all in one archive. Rejects with `HOST_UNSUPPORTED`. */
export async function planMongodb(definition: MongodbDump, context: DumpContext): Promise<DumpPlan> {
  const { tool, dump, address } = await mongoServer(definition, context);
  const { database, options = [] } = definition;
  const choice = database === undefined ? [] : [`--db=${database}`];
  return {
    program: await tool.version(dump),
    files: [
      {
        path: 'databases.archive',
        part: 'databases',
        databases: database === undefined ? [] : [database],
        open: programOutput(
          tool,
          tool.call(dump, [...address, '--archive', ...choice, ...options]),
          isMongoArchive,
          'chatter',
        ),
      },
    ],
  };
}

/** The collections of a server, or of one of its databases. Rejects with `SOURCE_UNREADABLE`. */
export async function listMongodb(
  definition: MongodbDump,
  context: DumpContext,
  database?: string,
): Promise<readonly MongoCollection[]> {
  const { tool, dump, address } = await mongoServer(definition, context);
  const choice = database === undefined ? [] : [`--db=${database}`];
  const output = programOutput(tool, tool.call(dump, [...address, '--archive', ...choice]), isMongoArchive, 'chatter');
  try {
    // What follows the names is not waited for.
    const collections = await collectionsIn(output(context.signal));
    return collections.filter((one) => !SYSTEM.includes(one.database));
  } catch (cause) {
    throw new CairnError('SOURCE_UNREADABLE', `the collections of MongoDB cannot be listed: ${String(cause)}`, {
      hint: 'Check that the server runs, and what the job says of its address and credentials.',
      cause,
    });
  }
}

/** How an archive goes back into MongoDB. Rejects with `USAGE`, `PATH_MISSING`, `HOST_UNSUPPORTED` and `SOURCE_UNREADABLE`. */
export async function planMongodbRestore(
  setup: RestoreSetup<MongodbDump>,
  context: DumpContext,
): Promise<readonly RestoreStep[]> {
  const { request, manifest, definition, view } = setup;
  const { tool, address } = await mongoServer(definition, context);
  const restore = await requireProgram(context, ['mongorestore'], DEBIAN_PACKAGE);
  const [file] = manifest.files;
  if (file === undefined) return [];
  const held = await collectionsIn(bytesOfFile(setup, file));
  const { databases, into } = request;
  const wanted = databases ?? [...new Set(held.map(({ database }) => database))];
  const missing = wanted.filter((name) => !held.some(({ database }) => database === name));
  if (missing.length > 0) {
    throw new CairnError('PATH_MISSING', `the dump in ${view.archive.name} has no database ${missing.join(', ')}`);
  }
  if (into !== undefined && wanted.length !== 1) {
    throw new CairnError('USAGE', `one database goes into ${into}, and these are ${wanted.length}`, {
      hint: 'Name the one by --database.',
    });
  }
  const targets = into === undefined ? wanted : [into];
  const there = (await listMongodb(definition, context)).filter(({ database }) => targets.includes(database));
  const includes = databases === undefined ? [] : wanted.map((name) => `--nsInclude=${name}.*`);
  const rename = into === undefined ? [] : [`--nsFrom=${wanted[0]}.*`, `--nsTo=${into}.*`];
  const standing = `${there.length} collections of ${[...new Set(there.map(({ database }) => database))].join(', ')}`;
  return [
    {
      what: `databases ${wanted.join(', ')} into ${targets.join(', ')}`,
      path: archivePath(setup, file),
      bytes: file.bytes,
      ...(there.length === 0 ? {} : { standing }),
      half: 'some of the collections, the last of them with a part of its documents',
      async apply() {
        const drop = there.length === 0 ? [] : ['--drop'];
        const args = [...address, '--archive', '--stopOnError', ...drop, ...includes, ...rename];
        await give(tool, restore, args, bytesOfFile(setup, file));
      },
    },
  ];
}
