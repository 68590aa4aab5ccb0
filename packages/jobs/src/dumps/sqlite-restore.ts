import { chmod, chown, link, open, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import { CairnError, fromUtf8, systemErrorCode, type TreeEntry } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import type { SqliteDump } from './dump-schema.ts';
import type { DumpTool } from './dump-tool.ts';
import type { ManifestFile } from './manifest.ts';
import type { Program } from './programs.ts';
import { archivePath, bytesOfFile, give, wantedFiles, type RestoreSetup, type RestoreStep } from './restore-plan.ts';
import { SQLITE, SQLITE_WAIT, sqliteTool } from './sqlite-dump.ts';

/** Files that SQLite keeps beside a database (sqlite.org/tempfiles.html). */
const BESIDE = ['', '-wal', '-shm', '-journal'];

/**
 * How copies of SQLite databases go back. Rejects with `USAGE`, `PATH_MISSING` and `HOST_UNSUPPORTED`; what stands in the way is
 * in the steps.
 */
export async function planSqliteRestore(
  setup: RestoreSetup<SqliteDump>,
  context: DumpContext,
): Promise<readonly RestoreStep[]> {
  const { tool, sqlite } = await sqliteTool(setup.definition, context);
  const steps: RestoreStep[] = [];
  for (const file of wantedFiles(setup)) {
    const [source = ''] = file.databases;
    const target = setup.request.into ?? source;
    const size = await sizeOf(target);
    const path = archivePath(setup, file);
    const entry = await setup.view.entry(fromUtf8(path));
    steps.push({
      what: `database ${source} into ${target}`,
      path,
      bytes: file.bytes,
      ...(size === undefined || size === 0 ? {} : { standing: `the file ${target} of ${size} bytes` }),
      half: 'nothing: a database is replaced whole, or not at all',
      apply: async () => await restoreFile(setup, tool, sqlite, { file, target, entry, exists: size !== undefined }),
    });
  }
  return steps;
}

interface Target {
  readonly file: ManifestFile;
  readonly target: string;
  readonly entry: TreeEntry;
  readonly exists: boolean;
}

/**
 * The copy stands beside the database until it is whole and SQLite finds nothing wrong with it. Into a database that exists it goes by the
 * backup interface, which programs that have it open may watch; a new one appears whole.
 */
async function restoreFile(
  setup: RestoreSetup<SqliteDump>,
  tool: DumpTool,
  sqlite: Program,
  { file, target, entry, exists }: Target,
): Promise<void> {
  const fresh = `${target}.cairn-${Buffer.from(tool.context.environment.random.bytes(6)).toString('hex')}`;
  const place = { workingDirectory: dirname(target) };
  try {
    await write(fresh, bytesOfFile(setup, file));
    const check = await tool.run(sqlite, [...SQLITE, fresh, 'PRAGMA quick_check'], place);
    const verdict = check.output.toString('utf8').trim();
    if (!check.ok || verdict !== 'ok') {
      throw new CairnError(
        'TARGET_FAILED',
        `SQLite refuses the restored copy of ${target}: ${check.errors} ${verdict}`.trim(),
      );
    }
    if (exists) {
      await give(tool, sqlite, [...SQLITE, target, SQLITE_WAIT, `.restore "${escaped(fresh)}"`]);
      return;
    }
    await chmod(fresh, entry.mode);
    if (isRoot()) await chown(fresh, entry.uid, entry.gid);
    await link(fresh, target);
  } catch (cause) {
    if (systemErrorCode(cause) === undefined || cause instanceof CairnError) throw cause;
    throw new CairnError('TARGET_FAILED', `cannot write ${target}: ${String(cause)}`, {
      hint: 'Its directory must exist, and have room for the database.',
      cause,
    });
  } finally {
    for (const ending of BESIDE) await rm(`${fresh}${ending}`, { force: true });
  }
}

async function write(path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const piece of bytes) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A name as a command of sqlite3 takes it between quotes. */
function escaped(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
}

function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new CairnError('TARGET_FAILED', `cannot look at ${basename(path)}: ${String(error)}`, { cause: error });
  }
}
