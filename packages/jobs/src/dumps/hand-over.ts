import { chmod, chown, mkdir, readdir, rename, stat } from 'node:fs/promises';

import { CairnError, systemErrorCode } from '@cairn/core';

import { withErrors, type DumpTool } from './dump-tool.ts';
import { runProgram } from './run-program.ts';

/** Mode of directories that hold what a database protects. */
const PRIVATE = 0o700;

/** What is in a directory; undefined when there is none. Rejects with `TARGET_FAILED`. */
export async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(directory);
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENOENT') return undefined;
    throw new CairnError('TARGET_FAILED', `cannot look into ${directory}: ${code ?? String(error)}`, {
      hint: 'Restore as root, or as the user that it belongs to.',
      cause: error,
    });
  }
}

/** Makes a directory belong to the user that the programs of a dump run as. Rejects with `TARGET_FAILED`. */
export async function giveToUser(tool: DumpTool, runAs: string | undefined, path: string): Promise<void> {
  if (runAs === undefined) return;
  const { signal } = tool.context;
  // With a colon the group is that of the user (chown(1)).
  const end = await runProgram({ command: ['chown', `${runAs}:`, path], env: tool.env, signal });
  if (!end.ok) throw new CairnError('TARGET_FAILED', withErrors(`${path} cannot be given to ${runAs}`, end.errors));
}

/**
 * Makes place for a new directory: what is there is renamed, never deleted, and the new one has its mode and owner. Resolves with where
 * the old one is now. Rejects with `TARGET_FAILED`.
 */
export async function freshDirectory(
  tool: DumpTool,
  runAs: string | undefined,
  directory: string,
): Promise<string | undefined> {
  try {
    const names = await namesIn(directory);
    if (names === undefined) {
      await mkdir(directory, { recursive: true, mode: PRIVATE });
      await giveToUser(tool, runAs, directory);
      return undefined;
    }
    if (names.length === 0) return undefined;
    const { mode, uid, gid } = await stat(directory);
    const aside = `${directory}.before-${tool.context.environment.clock.nowNs() / 1_000_000_000n}`;
    await rename(directory, aside);
    await mkdir(directory, { mode: PRIVATE });
    await chown(directory, uid, gid);
    await chmod(directory, mode & 0o7777);
    return aside;
  } catch (cause) {
    if (systemErrorCode(cause) === undefined) throw cause;
    throw new CairnError('TARGET_FAILED', `${directory} cannot be made: ${String(cause)}`, { cause });
  }
}
