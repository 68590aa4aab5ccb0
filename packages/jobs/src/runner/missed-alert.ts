import type { CairnError, Environment, Timer } from '@cairn/core';

import type { AlertFacts } from '../alerts/alert-event.ts';
import type { JobFile } from '../job-file/read-job.ts';

/** Milliseconds after which an alert that does not get through is given up. */
const MOST_MS = 120_000;

interface Surroundings {
  readonly environment: Environment;
  readonly timer: Timer;
}

/**
 * Tells whom the job wants to be told that a run was missed and nothing catches up with it now. Gives why it could not be told; never
 * rejects.
 */
export async function tellMissed(
  job: JobFile,
  about: { readonly host: string; readonly dueAt: string },
  surroundings: Surroundings,
): Promise<readonly string[]> {
  return await tell(job, { ...about, outcome: undefined, log: '' }, surroundings);
}

/** The same of a run that failed before it had a record. */
export async function tellNotBegun(
  job: JobFile,
  { host, run, error }: { readonly host: string; readonly run: string; readonly error: CairnError },
  surroundings: Surroundings,
): Promise<readonly string[]> {
  const steps = [{ step: 'record', status: 3, error }];
  const outcome = { run, status: 'failed', seconds: 0, steps, figures: {}, archive: undefined } as const;
  return await tell(job, { host, outcome, log: `error: ${error.message}\n` }, surroundings);
}

async function tell(
  job: JobFile,
  facts: Omit<AlertFacts, 'job' | 'previousStatus'>,
  { environment, timer }: Surroundings,
): Promise<readonly string[]> {
  if (job.alerts === undefined) return [];
  const { sendAlerts } = await import('../alerts/send-alerts.ts');
  const context = { environment, timer, signal: AbortSignal.timeout(MOST_MS) };
  const results = await sendAlerts(job.alerts, { ...facts, job: job.name, previousStatus: undefined }, context);
  return results.flatMap(({ channel, error }) => (error === undefined ? [] : [`${channel}: ${error.message}`]));
}
