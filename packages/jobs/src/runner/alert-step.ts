import { knownError } from '@cairn/core';

import type { AlertFacts } from '../alerts/alert-event.ts';
import type { AlertContext } from '../alerts/alert-context.ts';
import type { AlertsDefinition } from '../alerts/alert-schema.ts';
import type { AlertResult } from '../alerts/send-alerts.ts';
import type { RunStatus } from '../runs/run-events.ts';
import type { JobRun } from './job-run.ts';
import type { RunOutcome } from './outcome.ts';

/** Milliseconds after which an alert that does not get through is given up: a run must come to its end. */
const MOST_MS = 120_000;

type Send = (
  alerts: typeof import('../alerts/send-alerts.ts'),
  definition: AlertsDefinition,
  context: AlertContext,
) => Promise<readonly AlertResult[]>;

/** Tells whom the job wants to be told of a run and of those that were missed. What cannot be sent is a warning in the run. */
export class AlertStep {
  private readonly run: JobRun;
  private readonly previousStatus: RunStatus | undefined;

  constructor(run: JobRun, previousStatus: RunStatus | undefined) {
    this.run = run;
    this.previousStatus = previousStatus;
  }

  /** That the run begins, and that others should have. */
  async started(missed: number): Promise<void> {
    await this.send(async (alerts, definition, context) => {
      const start = await alerts.sendStart(definition, context);
      if (missed === 0) return start;
      return [...start, ...(await alerts.sendAlerts(definition, this.facts(undefined), context))];
    });
  }

  /** How it ended. */
  async ended(outcome: RunOutcome): Promise<void> {
    await this.send((alerts, definition, context) => alerts.sendAlerts(definition, this.facts(outcome), context));
  }

  private facts(outcome: RunOutcome | undefined): AlertFacts {
    const { job, log, surroundings } = this.run;
    const { previousStatus } = this;
    return { job: job.name, host: surroundings.host, outcome, previousStatus, log: log.text() };
  }

  private async send(send: Send): Promise<void> {
    const { job, log, surroundings } = this.run;
    if (job.alerts === undefined) return;
    const { environment, timer } = surroundings;
    try {
      const alerts = await import('../alerts/send-alerts.ts');
      const context = { environment, timer, signal: AbortSignal.timeout(MOST_MS) };
      for (const { channel, error } of await send(alerts, job.alerts, context)) {
        if (error !== undefined) log.warn(`the alert by ${channel} was not sent: ${error.message}`);
      }
    } catch (error) {
      log.warn(`alerts were not sent: ${knownError(error).message}`);
    }
  }
}
