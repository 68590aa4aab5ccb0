import { CairnError } from '@cairn/core';

import type { AlertContext } from './alert-context.ts';
import type { PingDefinition } from './alert-schema.ts';
import { tailOf } from './alert-text.ts';
import { post, shownHost } from './http-call.ts';

/** What a service that waits for signs of life is told. */
export type PingKind = 'start' | 'success' | 'failure';

const TIME_LIMIT_MS = 15_000;

/** Tries in all; services that expect pings are made for many clients that come and go. */
const ATTEMPTS = 3;
const WAIT_MS = 1_000;

/** Characters that are sent along: healthchecks.io keeps 100 kB. */
const LOG_CHARACTERS = 90_000;

/** Rejects with `ALERT_FAILED` when it was not taken, with `CANCELLED`. @param log what is sent along; its end, when it is long. */
export async function sendPing(
  definition: PingDefinition,
  kind: PingKind,
  log: string,
  { timer, signal }: AlertContext,
): Promise<void> {
  const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'User-Agent': 'cairn' };
  const timeLimitMs = definition['time-limit'] ?? TIME_LIMIT_MS;
  for (let attempt = 1; ; attempt++) {
    const body = tailOf(log, LOG_CHARACTERS);
    const end = await post({ url: addressOf(definition, kind), headers, body, timeLimitMs, signal });
    if (end.ok) return;
    if (!end.again || attempt === ATTEMPTS) {
      throw new CairnError('ALERT_FAILED', `the check at ${shownHost(definition.url)} was not told: ${end.why}`, {
        hint: 'Check the addresses in [alerts.ping].',
      });
    }
    await timer.wait(WAIT_MS * attempt, signal);
  }
}

function addressOf(definition: PingDefinition, kind: PingKind): string {
  if (kind === 'success') return definition.url;
  const own = kind === 'start' ? definition['start-url'] : definition['failure-url'];
  if (own !== undefined) return own;
  const url = new URL(definition.url);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${kind === 'start' ? 'start' : 'fail'}`;
  return url.href;
}
