import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemEnvironment, systemTimer } from '@cairn/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { alertsSchema, sendAlerts, sendMail, type MailDefinition } from '../dist/index.js';
import { PASSWORD, SilentServer, Smtp, USER } from './support/smtp.ts';

const NOTICE = { subject: 'Käse 🧀', text: 'Grüße\nund Zeilen\n.\nmit Punkt\n' };

let directory: string;
let smtp: Smtp | undefined;
const signal = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'cairn-mail-'));
});
afterEach(async () => {
  await smtp?.stop();
  smtp = undefined;
  rmSync(directory, { recursive: true });
});

function definition(server: Smtp, more: Readonly<Record<string, unknown>> = {}): MailDefinition {
  const password = join(directory, 'password');
  writeFileSync(password, `${PASSWORD}\n`);
  const mail = {
    to: ['admin@example.org', 'other@example.org'],
    from: 'cairn@example.org',
    server: 'localhost',
    port: server.port,
    user: USER,
    'password-file': password,
    'ca-file': server.ca,
    ...more,
  };
  const parsed = alertsSchema.parse({ mail }).mail;
  if (parsed === undefined) throw new Error('the set-up failed');
  return parsed;
}

/** Values of headers that go over lines are joined; the text of a part is decoded. */
function decoded(mail: string): string {
  return mail
    .replace(/=\r\n/g, '')
    .replace(/(?:=[0-9A-F]{2})+/g, (hex) => Buffer.from(hex.replaceAll('=', ''), 'hex').toString());
}

describe('mail by a real SMTP server', () => {
  it.each([
    ['STARTTLS', 'starttls', {}],
    ['TLS', 'tls', { secure: true }],
  ])('is sent over %s with a password from a file', async (_, security, options) => {
    smtp = await Smtp.start(options);
    const attachment = { name: 'nightly.log', text: 'all of the log' };
    await sendMail(definition(smtp, { security }), { ...NOTICE, attachment }, signal);
    expect(smtp.received).toEqual([
      expect.objectContaining({
        from: 'cairn@example.org',
        to: ['admin@example.org', 'other@example.org'],
        secure: true,
        user: USER,
      }),
    ]);
    const text = decoded(smtp.received[0]?.text ?? '');
    expect(text).toContain(`=?UTF-8?`);
    expect(text).toContain('Grüße');
    expect(text).toContain('Auto-Submitted: auto-generated');
    expect(text).toContain('filename=nightly.log');
    expect(text).not.toContain(PASSWORD);
  });

  it('is sent in the clear without a password when the job says so', async () => {
    smtp = await Smtp.start({ authOptional: true, hideSTARTTLS: true });
    const plain = { security: 'none', user: undefined, 'password-file': undefined, 'ca-file': undefined };
    await sendMail(definition(smtp, plain), { ...NOTICE, to: ['one@example.org'] }, signal);
    expect(smtp.received).toEqual([expect.objectContaining({ to: ['one@example.org'], secure: false })]);
  });

  it('is not sent in the clear when the server does not offer TLS', async () => {
    smtp = await Smtp.start({ disabledCommands: ['STARTTLS'], authOptional: true });
    await expect(sendMail(definition(smtp), NOTICE, signal)).rejects.toMatchObject({ code: 'ALERT_FAILED' });
    expect(smtp.received).toEqual([]);
  });

  it('is not sent to a server with another certificate', async () => {
    smtp = await Smtp.start();
    const sending = sendMail(definition(smtp, { 'ca-file': undefined }), NOTICE, signal);
    await expect(sending).rejects.toMatchObject({
      code: 'ALERT_FAILED',
      message: expect.stringMatching(/certificate/),
    });
    expect(smtp.received).toEqual([]);
  });

  it('never tells the password, although the server does', async () => {
    smtp = await Smtp.start();
    const wrong = join(directory, 'wrong');
    writeFileSync(wrong, 'verraten!');
    const error = await sendMail(definition(smtp, { 'password-file': wrong }), NOTICE, signal).catch(
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ code: 'ALERT_FAILED', message: expect.stringContaining('535') });
    expect(String(error)).not.toContain('verraten!');
  });

  it('lets nobody put headers in', async () => {
    smtp = await Smtp.start();
    const mail = definition(smtp);
    for (const notice of [
      { ...NOTICE, subject: 'a\r\nBcc: x@y.org' },
      { ...NOTICE, subject: 'a\nBcc: x@y.org' },
      { ...NOTICE, to: ['a@b.org\r\nRCPT TO:<x@y.org>'] },
      { ...NOTICE, attachment: { name: 'a\r\nb', text: '' } },
    ]) {
      await expect(sendMail(mail, notice, signal)).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect(smtp.received).toEqual([]);
  });

  it('is given up when the server says nothing', async () => {
    const silent = new SilentServer();
    const port = await silent.start();
    try {
      smtp = await Smtp.start();
      const sending = sendMail(definition(smtp, { port, 'time-limit': '500ms' }), NOTICE, signal);
      await expect(sending).rejects.toMatchObject({ code: 'ALERT_FAILED' });
      await expect.poll(() => silent.open).toBe(0);
    } finally {
      silent.stop();
    }
  });

  it('is given up when the server hangs in the middle', async () => {
    smtp = await Smtp.start({ onRcptTo: () => undefined, closeTimeout: 100 });
    const sending = sendMail(definition(smtp, { 'time-limit': '700ms' }), NOTICE, signal);
    await expect(sending).rejects.toMatchObject({ code: 'ALERT_FAILED' });
  });

  it('says which file is missing', async () => {
    smtp = await Smtp.start();
    const sending = sendMail(definition(smtp, { 'password-file': '/nonexistent' }), NOTICE, signal);
    await expect(sending).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('/nonexistent') });
  });
});

describe('a run that failed', () => {
  it('is told by mail with its log, although the webhook is not there', async () => {
    smtp = await Smtp.start();
    const silent = new SilentServer();
    const port = await silent.start();
    silent.stop();
    const step = { step: 'dump:mysql', status: 1, error: { message: 'mariadb-dump ended with status 2' } };
    const outcome = {
      run: 'r1',
      status: 'failed',
      seconds: 3,
      steps: [step],
      figures: { files: 7 },
      archive: undefined,
    } as const;
    const log = `first line\n${'x'.repeat(5_000)}\nlast line\n`;
    const facts = { job: 'nightly', host: 'web', outcome, previousStatus: undefined, log };
    const alerts = { mail: definition(smtp), webhook: { url: `http://127.0.0.1:${port}/`, retries: 0 } };
    const context = { environment: systemEnvironment, timer: systemTimer, signal };
    const [mail, webhook] = await sendAlerts(alerts, facts, context);
    expect(mail).toEqual({ channel: 'mail', error: undefined });
    expect(webhook).toMatchObject({ channel: 'webhook', error: { code: 'ALERT_FAILED' } });
    const text = decoded(smtp.received[0]?.text ?? '');
    expect(text).toContain('Subject: [Cairn] FAILED: nightly on web');
    expect(text).toContain('dump:mysql: mariadb-dump ended with status 2');
    expect(text).toContain('filename=nightly-r1.log');
    // The text has the end of the log, the attachment all of it.
    expect([text.includes('last line'), text.includes('first line')]).toEqual([true, false]);
    const [, base64 = ''] =
      /nightly-r1\.log[^]*?\r\n\r\n([A-Za-z0-9+/=\r\n]+)/.exec(smtp.received[0]?.text ?? '') ?? [];
    expect(Buffer.from(base64, 'base64').toString()).toBe(log.trimEnd());
  });
});
