import { z } from 'zod';

import { path, text, timeLimit } from '../job-file/values.ts';

/** What an alert may be about. */
const ALERT_EVENTS = ['failure', 'warning', 'success', 'recovered', 'missed'] as const;

/** One address, without a name: a line break would begin another header. */
const address = z.string().regex(/^[^\s<>,;:"@]+@[^\s<>,;:"@]+$/, 'expected an address such as "admin@example.org"');

const httpUrl = z
  .string()
  .regex(/^https?:\/\/[^\s]+$/i, 'expected an address that begins with https://')
  .refine((value) => URL.canParse(value), 'is no address');

export const mailSchema = z
  .strictObject({
    to: z.array(address).min(1).describe('Who is told.'),
    from: address.describe('Sender.'),
    server: text.describe('SMTP server.'),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('Its port. Default: 587; 465 with `security = "tls"`, 25 with `"none"`.'),
    security: z
      .enum(['starttls', 'tls', 'none'])
      .optional()
      .describe(
        '`starttls` begins in the clear and goes on only when the server switches to TLS. `none` takes no password. Default: `starttls`.',
      ),
    user: text.optional().describe('User of the server.'),
    'password-file': path.optional().describe('File with the password alone. Only its owner should read it.'),
    'ca-file': path
      .optional()
      .describe('File with the certificate authority of the server, when it is none that the system knows.'),
    'time-limit': timeLimit.optional().describe('How long the sending may take. Default: `1m`.'),
  })
  .refine(
    (mail) => (mail.user === undefined) === (mail['password-file'] === undefined),
    '`user` and `password-file` go together',
  )
  .refine(
    (mail) => mail.security !== 'none' || mail.user === undefined,
    'a password is not sent without TLS: leave `security` out',
  )
  .describe('Mail by SMTP, with the log of the run.');

const webhookSchema = z
  .strictObject({
    url: httpUrl.describe('Where to: it gets a POST with JSON.'),
    'secret-file': path
      .optional()
      .describe(
        'File with a secret. The header `Cairn-Signature` then holds `t=SECONDS,v1=HEX`: HMAC-SHA-256 with it over the seconds, a dot and the body.',
      ),
    retries: z.int().min(0).max(10).optional().describe('How often it is tried again. Default: 3.'),
    'time-limit': timeLimit.optional().describe('How long one try may take. Default: `15s`.'),
  })
  .describe('A request to a server of your own.');

const pingSchema = z
  .strictObject({
    url: httpUrl.describe('Address of the check, as of healthchecks.io: `/start` and `/fail` are added to it.'),
    'start-url': httpUrl.optional().describe('Another address for the start.'),
    'failure-url': httpUrl.optional().describe('Another address for a failure.'),
    'time-limit': timeLimit.optional().describe('How long one try may take. Default: `15s`.'),
  })
  .describe(
    'A service that alarms when it hears nothing: told of each start, success and failure, whatever `on` says.',
  );

export const alertsSchema = z
  .strictObject({
    on: z
      .array(z.enum(ALERT_EVENTS))
      .min(1)
      .optional()
      .describe(
        'What mail and webhook are sent for. `recovered` is the first good run after one that failed, `missed` a run that did not begin when it was due. Default: `failure`, `warning`, `recovered`, `missed`.',
      ),
    mail: mailSchema.optional(),
    webhook: webhookSchema.optional(),
    ping: pingSchema.optional(),
  })
  .describe('Who is told how a run ended.');

export type AlertEvent = (typeof ALERT_EVENTS)[number];
export type AlertsDefinition = z.output<typeof alertsSchema>;
export type MailDefinition = z.output<typeof mailSchema>;
export type WebhookDefinition = z.output<typeof webhookSchema>;
export type PingDefinition = z.output<typeof pingSchema>;
