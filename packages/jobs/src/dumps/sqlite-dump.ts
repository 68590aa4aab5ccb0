import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError, systemErrorCode } from '@cairn/core';

import type { DumpContext } from './dump-context.ts';
import type { DumpFile } from './dump-file.ts';
import type { DumpPlan } from './dump-plan.ts';
import type { SqliteDump } from './dump-schema.ts';
import { DumpTool, withErrors } from './dump-tool.ts';
import { giveToUser } from './hand-over.ts';
import { isSqliteDatabase, OutputEnds } from './output-ends.ts';
import { requireProgram, type Program } from './programs.ts';

/** Bytes that are read of the copy at once. */
const PIECE_BYTES = 1024 * 1024;

/**
 * The program, and options for calls by programs: stop at the first error, and no settings of the user. A program of its own can be ended,
 * works for any version of Node.js, and is in every distribution.
 */
export const SQLITE = ['-batch', '-bail', '-init', '/dev/null'];

/** Milliseconds to wait for a writer that has the database to itself. */
export const SQLITE_WAIT = '.timeout 60000';

export async function sqliteTool(
  definition: SqliteDump,
  context: DumpContext,
): Promise<{ readonly tool: DumpTool; readonly sqlite: Program }> {
  const tool = await DumpTool.create(context, { runAs: definition['run-as'], timeoutMs: definition['time-limit'] });
  return { tool, sqlite: await requireProgram(context, ['sqlite3'], 'sqlite3') };
}

/** What is to be dumped of SQLite. Rejects with `HOST_UNSUPPORTED`, and with `SOURCE_UNREADABLE` for a file that is not there. */
export async function planSqlite(definition: SqliteDump, context: DumpContext): Promise<DumpPlan> {
  const { tool, sqlite } = await sqliteTool(definition, context);
  const files: DumpFile[] = [];
  for (const path of definition.files) {
    const { mode, uid, gid } = await statusOf(path);
    files.push({
      path: `files${path}`,
      part: 'file',
      databases: [path],
      owner: { mode: mode & 0o7777, uid, gid },
      open: (signal) => copyOf(definition, tool, sqlite, path, signal),
    });
  }
  return { program: `sqlite3 ${await tool.version(sqlite)}`, files };
}

/** sqlite3 would make a file that is missing. */
async function statusOf(path: string): Promise<{ readonly mode: number; readonly uid: number; readonly gid: number }> {
  try {
    const status = await stat(path);
    if (status.isFile()) return status;
  } catch (cause) {
    throw new CairnError(
      'SOURCE_UNREADABLE',
      `cannot read the database ${path}: ${systemErrorCode(cause) ?? String(cause)}`,
      {
        cause,
      },
    );
  }
  throw new CairnError('SOURCE_UNREADABLE', `${path} is no file`);
}

/**
 * A copy as of one moment, page by page, so that unchanged pages are found again. The backup interface of SQLite writes pages
 * out of order, so the copy is a file; it is gone from its directory before it is read. The transaction holds the moment:
 * without it a copy begins again whenever another program writes.
 */
async function* copyOf(
  definition: SqliteDump,
  tool: DumpTool,
  sqlite: Program,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const parent = definition['temporary-directory'] ?? tool.context.temporaryDirectory;
  const directory = await mkdtemp(join(parent, 'cairn-sqlite-'));
  try {
    await giveToUser(tool, definition['run-as'], directory);
    const commands = [SQLITE_WAIT, 'BEGIN; SELECT count(*) FROM sqlite_master;', '.backup copy'];
    const limit = tool.timeoutMs === undefined ? {} : { timeoutMs: tool.timeoutMs };
    const end = await tool.run(sqlite, [...SQLITE, path, ...commands], {
      ...limit,
      workingDirectory: directory,
      signal,
    });
    if (!end.ok) throw new Error(withErrors(end.how, end.errors));
    yield* piecesOf(join(directory, 'copy'), () => rm(directory, { recursive: true }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function* piecesOf(path: string, onOpened: () => Promise<void>): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    await onOpened();
    const ends = new OutputEnds();
    const piece = Buffer.alloc(PIECE_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length, null);
      if (bytesRead === 0) break;
      ends.add(piece.subarray(0, bytesRead));
      yield piece.subarray(0, bytesRead);
    }
    const wrong = isSqliteDatabase(ends);
    if (wrong !== undefined) throw new Error(wrong);
  } finally {
    await file.close();
  }
}
