import { CairnError, isCairnError } from '@cairn/core';

import type { AlertContext } from './alert-context.ts';
import { eventOf, isWanted, type AlertFacts } from './alert-event.ts';
import type { AlertEvent, AlertsDefinition } from './alert-schema.ts';
import { bodyOf, subjectOf, tailOf } from './alert-text.ts';
import { sendMail } from './mail.ts';
import { sendPing } from './ping.ts';
import { sendWebhook } from './webhook.ts';

/** What came of one alert. */
export interface AlertResult {
  readonly channel: 'mail' | 'webhook' | 'ping';
  /** Undefined when it was sent. */
  readonly error: CairnError | undefined;
}

/** Characters of the log that are attached to a mail: the last ones. */
const ATTACHED_CHARACTERS = 1024 * 1024;

/** Tells how a run ended, or that it did not begin. Never rejects: an alert that cannot be sent is a result. All are sent at once. */
export async function sendAlerts(
  alerts: AlertsDefinition,
  facts: AlertFacts,
  context: AlertContext,
): Promise<readonly AlertResult[]> {
  const event = eventOf(facts);
  const { mail, webhook, ping } = alerts;
  const sending: Promise<AlertResult>[] = [];
  if (mail !== undefined && isWanted(event, alerts)) {
    sending.push(result('mail', sendMail(mail, mailNotice(event, facts), context.signal)));
  }
  if (webhook !== undefined && isWanted(event, alerts)) {
    sending.push(result('webhook', sendWebhook(webhook, event, facts, context)));
  }
  // A service that waits for pings finds out by itself that a run was missed.
  if (ping !== undefined && event !== 'missed') {
    const kind = event === 'failure' ? 'failure' : 'success';
    sending.push(result('ping', sendPing(ping, kind, facts.log, context)));
  }
  return await Promise.all(sending);
}

/** Tells that a run begins, where somebody measures how long it takes. Never rejects. */
export async function sendStart(alerts: AlertsDefinition, context: AlertContext): Promise<readonly AlertResult[]> {
  const { ping } = alerts;
  return ping === undefined ? [] : [await result('ping', sendPing(ping, 'start', '', context))];
}

function mailNotice(event: AlertEvent, facts: AlertFacts) {
  const { log, outcome, job } = facts;
  const notice = { subject: subjectOf(event, facts), text: bodyOf(event, facts) };
  if (outcome === undefined || log === '') return notice;
  return { ...notice, attachment: { name: `${job}-${outcome.run}.log`, text: tailOf(log, ATTACHED_CHARACTERS) } };
}

async function result(channel: AlertResult['channel'], sending: Promise<void>): Promise<AlertResult> {
  try {
    await sending;
    return { channel, error: undefined };
  } catch (error) {
    if (isCairnError(error)) return { channel, error };
    return { channel, error: new CairnError('INTERNAL', `${channel}: ${String(error)}`, { cause: error }) };
  }
}
