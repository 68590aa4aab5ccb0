import { createHmac } from 'node:crypto';

import { CairnError } from '@cairn/core';

import type { AlertContext } from './alert-context.ts';
import type { AlertFacts } from './alert-event.ts';
import type { AlertEvent, WebhookDefinition } from './alert-schema.ts';
import { subjectOf, tailOf } from './alert-text.ts';
import { post, shownHost } from './http-call.ts';
import { readSecret } from './read-secret.ts';

const TIME_LIMIT_MS = 15_000;
const RETRIES = 3;

/** Milliseconds before the first retry; twice as long before each of the next. */
const FIRST_WAIT_MS = 1_000;

/** Characters of the log that are sent: the last ones. */
const LOG_CHARACTERS = 64 * 1024;

/** What a webhook gets. Names as in all JSON of Cairn. */
function webhookJson(event: AlertEvent, facts: AlertFacts): Readonly<Record<string, unknown>> {
  const { job, host, outcome, previousStatus, dueAt, log } = facts;
  const failed = outcome?.steps.filter(({ status }) => status !== 0) ?? [];
  return {
    event,
    job,
    host,
    title: subjectOf(event, facts),
    ...(dueAt === undefined ? {} : { due_at: dueAt }),
    ...(previousStatus === undefined ? {} : { previous_status: previousStatus }),
    ...(outcome === undefined
      ? {}
      : {
          run: outcome.run,
          status: outcome.status,
          seconds: outcome.seconds,
          ...(outcome.archive === undefined ? {} : { archive: outcome.archive }),
          figures: outcome.figures,
          failed_steps: failed.map(({ step, status, error }) => ({ step, status, message: error?.message ?? '' })),
          log: tailOf(log, LOG_CHARACTERS),
        }),
  };
}

/**
 * Tells a webhook. The same body and delivery number go out each time it is tried. Rejects with `USAGE` when the secret cannot be
 * read, with `ALERT_FAILED` when it was not taken, with `CANCELLED`.
 */
export async function sendWebhook(
  definition: WebhookDefinition,
  event: AlertEvent,
  facts: AlertFacts,
  { environment, timer, signal }: AlertContext,
): Promise<void> {
  const secretFile = definition['secret-file'];
  const secret = secretFile === undefined ? undefined : await readSecret(secretFile, 'secret');
  const body = JSON.stringify(webhookJson(event, facts));
  const delivery = Buffer.from(environment.random.bytes(16)).toString('hex');
  const { retries = RETRIES } = definition;
  for (let attempt = 0; ; attempt++) {
    const seconds = String(environment.clock.nowNs() / 1_000_000_000n);
    const headers = {
      'Content-Type': 'application/json',
      'User-Agent': 'cairn',
      'Cairn-Event': event,
      'Cairn-Delivery': delivery,
      ...(secret === undefined ? {} : { 'Cairn-Signature': signatureOf(secret, seconds, body) }),
    };
    const timeLimitMs = definition['time-limit'] ?? TIME_LIMIT_MS;
    const end = await post({ url: definition.url, headers, body, timeLimitMs, signal });
    if (end.ok) return;
    if (!end.again || attempt === retries) {
      throw new CairnError('ALERT_FAILED', `the webhook of ${shownHost(definition.url)} was not told: ${end.why}`, {
        hint: 'Check the address in [alerts.webhook], and what the server says.',
      });
    }
    await timer.wait(FIRST_WAIT_MS * 2 ** attempt, signal);
  }
}

/** The time is signed, too, so that an old message cannot be sent again unnoticed. */
function signatureOf(secret: string, seconds: string, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
