import { CairnError, systemErrorCode } from '@cairn/core';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { JOB_NAME } from '../runs/run-id.ts';
import { readJobFile, type JobFile } from './read-job.ts';

/** A file of the jobs directory: the job, or why it cannot be read. */
export interface ListedJob {
  readonly name: string;
  readonly file: string;
  readonly job?: JobFile;
  readonly error?: CairnError;
}

/** Path of the job of that name. Rejects with `USAGE` for what can be no name. */
export function jobPath(directory: string, name: string): string {
  if (JOB_NAME.test(name)) return join(directory, `${name}.toml`);
  throw new CairnError('USAGE', `${JSON.stringify(name)} is no name of a job`, {
    hint: 'Names are small letters, digits and hyphens. A path to a job file has a slash in it.',
  });
}

/** All jobs of a directory, by name; none when there is no such directory. Rejects with `USAGE` when it cannot be read. */
export async function listJobs(directory: string): Promise<ListedJob[]> {
  let entries: string[];
  try {
    entries = await readdir(directory);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOENT') return [];
    throw new CairnError('USAGE', `cannot read the jobs directory ${directory}: ${code ?? String(cause)}`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
  const names = entries.filter((entry) => entry.endsWith('.toml')).map((entry) => entry.slice(0, -'.toml'.length));
  return await Promise.all(
    names
      .filter((name) => JOB_NAME.test(name))
      .toSorted()
      .map((name) => listed(directory, name)),
  );
}

async function listed(directory: string, name: string): Promise<ListedJob> {
  const file = jobPath(directory, name);
  try {
    return { name, file, job: await readJobFile(file) };
  } catch (error) {
    if (error instanceof CairnError) return { name, file, error };
    throw error;
  }
}
