import { readFile } from 'node:fs/promises';

import { CairnError, isCairnError, systemErrorCode } from '@cairn/core';

import { scrubber } from '../dumps/scrub.ts';
import type { MailDefinition } from './alert-schema.ts';
import { readSecret } from './read-secret.ts';
import { withinMs } from './within-ms.ts';

/** A mail in plain text. */
export interface MailNotice {
  readonly subject: string;
  readonly text: string;
  readonly attachment?: { readonly name: string; readonly text: string };
  /** Instead of those in the definition: for a notice to one person. */
  readonly to?: readonly string[];
}

/** Milliseconds for all of a mail unless the job says otherwise. */
const TIME_LIMIT_MS = 60_000;

const PORTS = { starttls: 587, tls: 465, none: 25 } as const;

/**
 * Sends a mail by SMTP. Rejects with `USAGE` for a line break in a header and for files that cannot be read, and with
 * `ALERT_FAILED` when the server does not take it in time, or is not who it should be. Never tells the password.
 */
export async function sendMail(definition: MailDefinition, notice: MailNotice, signal: AbortSignal): Promise<void> {
  const to = notice.to ?? definition.to;
  for (const value of [...to, definition.from, notice.subject, notice.attachment?.name ?? '']) refuseControls(value);
  const { security = 'starttls', user } = definition;
  const passwordFile = definition['password-file'];
  const caFile = definition['ca-file'];
  const password = passwordFile === undefined ? undefined : await readSecret(passwordFile, 'password');
  const limit = definition['time-limit'] ?? TIME_LIMIT_MS;
  const { createTransport } = await import('nodemailer');
  const transport = createTransport({
    host: definition.server,
    port: definition.port ?? PORTS[security],
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(caFile === undefined ? {} : { tls: { ca: await readCa(caFile) } }),
    ...(user === undefined || password === undefined ? {} : { auth: { user, pass: password } }),
    connectionTimeout: limit,
    greetingTimeout: limit,
    socketTimeout: limit,
    dnsTimeout: limit,
    // Addresses and text come from this program; no file or URL is ever to be read for a mail.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const { attachment } = notice;
  const sent = transport.sendMail({
    from: definition.from,
    to: [...to],
    subject: notice.subject,
    text: notice.text,
    // No automatic answers (RFC 3834, 5).
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...(attachment === undefined
      ? {}
      : {
          attachments: [
            { filename: attachment.name, content: attachment.text, contentType: 'text/plain; charset=utf-8' },
          ],
        }),
  });
  // When the time is over it goes on by itself until the connection is closed.
  sent.catch(() => undefined);
  try {
    await withinMs(limit, signal, async (limited) => await beforeEnd(sent, limited));
  } catch (error) {
    if (isCairnError(error)) throw error;
    throw failure(definition, limit, error, password);
  } finally {
    transport.close();
  }
}

function refuseControls(value: string): void {
  if (!/\p{Cc}/u.test(value)) return;
  throw new CairnError('USAGE', 'a line break or another control character stands in a header of a mail', {
    hint: 'Look at names and addresses in [alerts.mail].',
  });
}

async function readCa(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CairnError(
      'USAGE',
      `cannot read the certificate authority ${path}: ${systemErrorCode(cause) ?? 'failed'}`,
      { cause },
    );
  }
}

/** Rejects with the signal's reason when that fires first. */
async function beforeEnd(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const stopped = new AbortController();
  const fired = new Promise<never>((_, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { signal: stopped.signal });
  });
  try {
    await Promise.race([work, fired]);
  } finally {
    stopped.abort();
  }
}

function failure(
  { server }: MailDefinition,
  limitMs: number,
  error: unknown,
  password: string | undefined,
): CairnError {
  const late = error instanceof Error && error.name === 'TimeoutError';
  const text = late ? `no answer within ${limitMs / 1000} s` : error instanceof Error ? error.message : String(error);
  const scrub = scrubber(password === undefined ? [] : [password, Buffer.from(password).toString('base64')]);
  return new CairnError('ALERT_FAILED', `the mail was not taken by ${server}: ${scrub(text)}`, {
    hint: 'Check [alerts.mail]: server, port, security, user and password file.',
  });
}
