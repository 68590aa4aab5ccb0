import type { Environment, Timer } from '@cairn/core';

import type { JobFile } from '../job-file/read-job.ts';

/** Milliseconds after which an alert that does not get through is given up. */
const MOST_MS = 120_000;

/** Tells whom the job wants to be told that a run was missed and is not caught up with. Gives why it could not be told; never rejects. */
export async function tellMissed(
  job: JobFile,
  about: { readonly host: string; readonly dueAt: string },
  { environment, timer }: { readonly environment: Environment; readonly timer: Timer },
): Promise<readonly string[]> {
  if (job.alerts === undefined) return [];
  const { sendAlerts } = await import('../alerts/send-alerts.ts');
  const facts = { ...about, job: job.name, outcome: undefined, previousStatus: undefined, log: '' };
  const context = { environment, timer, signal: AbortSignal.timeout(MOST_MS) };
  const results = await sendAlerts(job.alerts, facts, context);
  return results.flatMap(({ channel, error }) => (error === undefined ? [] : [`${channel}: ${error.message}`]));
}
