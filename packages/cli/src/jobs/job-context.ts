import { CairnError, readAll } from '@cairn/core';
import { jobPath, parseJobText, readJobFile, RunStore, type JobDirectories, type JobFile } from '@cairn/jobs';
import type { Command } from 'commander';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';

import type { Context } from '../context.ts';
import { configHome } from '../settings/resolve.ts';
import type { TextName } from '../settings/table.ts';
import { userName } from '../user-name.ts';
import { PROGRAM } from '../version.ts';

/** Bytes of a job on standard input. */
const MOST_BYTES = 1024 * 1024;

/** The option of all commands about jobs. */
export function addJobsDirectory(command: Command): Command {
  return command.option('--jobs-directory <directory>', 'where job files are');
}

/** Where job files are; absolute. */
export function jobsDirectoryOf(context: Pick<Context, 'settings'>): string {
  return resolve(needed(context, 'jobs-directory'));
}

/** Where this machine keeps what jobs need. */
export function jobDirectoriesOf(context: Pick<Context, 'settings' | 'variables'>): JobDirectories {
  return {
    state: resolve(needed(context, 'state-directory')),
    cache: resolve(needed(context, 'cache-directory')),
    keys: join(configHome(context.variables), 'keys'),
  };
}

/** The record of the runs of this account. */
export function runStoreOf(context: Pick<Context, 'settings' | 'variables'>): RunStore {
  return new RunStore(join(jobDirectoriesOf(context).state, 'runs'));
}

/** Who runs jobs here, as archives name it. */
export function whoRuns(): { readonly host: string; readonly user: string; readonly program: string } {
  return { host: hostname(), user: userName(), program: PROGRAM };
}

/** The job that an operand means: a name in the jobs directory, a path, or `-` for standard input. Rejects as `readJobFile` does. */
export async function jobMeant(context: Context, operand: string): Promise<JobFile> {
  if (operand === '-') {
    const bytes = await readAll(0, { name: 'the job on standard input', most: MOST_BYTES, signal: context.signal });
    return parseJobText(bytes.toString('utf8'), 'stdin');
  }
  return await readJobFile(jobFileMeant(context, operand));
}

/** The path of the job file that an operand means. Rejects with `USAGE` for what can be no name. */
export function jobFileMeant(context: Context, operand: string): string {
  return operand.includes('/') ? resolve(operand) : jobPath(jobsDirectoryOf(context), operand);
}

function needed({ settings }: Pick<Context, 'settings'>, name: TextName): string {
  const value = settings.text(name);
  if (value === undefined) throw new CairnError('INTERNAL', `${name} has no default`);
  return value;
}
