import { CairnError, DirectoryStore, parseAddress, Repository, type KeyFile, type LogRepairPlan } from '@cairn/core';

import type { Context } from './context.ts';
import { obtainKey } from './keys/obtain-key.ts';
import { clientFilesOf, repositoryPlace } from './open-repository.ts';

/** A newest entry of the log that was set aside, or is going to be. */
export interface LogTail {
  readonly plan: LogRepairPlan;
  readonly key: KeyFile;
}

/**
 * Sets the newest entry of the log aside when it cannot be read; undefined when it can. Rejects with `USAGE` for a store that is
 * no directory, and like `Repository.planLogRepair`.
 * @param dryRun only looks.
 */
export async function repairLog(context: Context, dryRun: boolean): Promise<LogTail | undefined> {
  const address = parseAddress(repositoryPlace(context));
  if (address.kind !== 'directory') {
    throw new CairnError('USAGE', 'only a repository in a directory has its log repaired', {
      hint: 'Run it where the store is. A repository server sets aside by itself what a crash cut short.',
    });
  }
  // A directory holds nothing open: a plan reads it later.
  const store = await DirectoryStore.open(address.path);
  const { clientState } = clientFilesOf(context);
  const { repo } = await Repository.inspect(store);
  const { keyFile: key } = await obtainKey(context, store, Buffer.from(repo).toString('hex'), clientState);
  const options = { keys: key.capabilities, clientState };
  const plan = await Repository.planLogRepair(store, options);
  if (plan === undefined) return undefined;
  if (!dryRun) await Repository.repairLog(store, plan, options);
  return { plan, key };
}
