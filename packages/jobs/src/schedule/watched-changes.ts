import { explainPaths, parseAddress } from '@cairn/core';

import type { JobDefinition } from '../job-file/schema.ts';
import { selectionOf, sourcesOf } from '../runner/backup-step.ts';
import type { JobDirectories } from '../runner/unattended-repository.ts';

/**
 * Whether a backup of the job would see that something changed at one of the paths. What the job leaves out does not count, nor what a run
 * writes itself, or each run would be the reason of the next. Never rejects: what cannot be found out counts.
 */
export async function countsAsChange(
  job: JobDefinition,
  { state, cache }: Pick<JobDirectories, 'state' | 'cache'>,
  paths: readonly string[],
): Promise<boolean> {
  const own = [state, cache, ...repositoryPath(job)];
  const others = paths.filter((path) => !own.some((directory) => `${path}/`.startsWith(`${directory}/`)));
  if (others.length === 0) return false;
  try {
    const select = await selectionOf(job.backup ?? {}, cache);
    return (await explainPaths({ paths: sourcesOf(job), select }, others)).some(({ taken }) => taken);
  } catch {
    // The run itself tells what is wrong with a rule or a path.
    return true;
  }
}

function repositoryPath({ repository }: JobDefinition): string[] {
  const address = parseAddress(repository.address);
  return address.kind === 'directory' ? [address.path] : [];
}
