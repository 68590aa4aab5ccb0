import type { RunRecord } from './run-record.ts';
import type { RunStore } from './run-store.ts';

/** Runs that are looked through. */
const LOOK_BACK = 50;

/**
 * The last run of the whole job; those of single steps are passed over, since they are no answer to its schedule. Rejects as the list of
 * runs does. @param before only runs older than the one with this id.
 */
export async function lastJobRun(runs: RunStore, job: string, before?: string): Promise<RunRecord | undefined> {
  const records = await runs.list({ job, limit: LOOK_BACK, ...(before === undefined ? {} : { before }) });
  return records.find(({ kind }) => kind === 'job');
}
