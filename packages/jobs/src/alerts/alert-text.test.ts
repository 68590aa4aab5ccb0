import { describe, expect, it } from 'vitest';

import { eventOf, isWanted, type AlertedRun, type AlertFacts } from './alert-event.ts';
import { alertsSchema } from './alert-schema.ts';
import { bodyOf, subjectOf, tailOf } from './alert-text.ts';

const RUN: AlertedRun = {
  run: '20261121-x',
  status: 'failed',
  seconds: 12.4,
  steps: [
    { step: 'dump:mysql', status: 1, error: { message: 'mariadb-dump ended with status 2' } },
    { step: 'backup', status: 0 },
  ],
  figures: { files: 12 },
  archive: 'web-2026-11-21',
};
const FACTS: AlertFacts = {
  job: 'nightly',
  host: 'web',
  outcome: RUN,
  previousStatus: 'success',
  log: 'first\nlast\n',
};

describe('the occasion for an alert', () => {
  it.each([
    ['failed', 'success', 'failure'],
    ['cancelled', 'success', 'failure'],
    ['lost', undefined, 'failure'],
    ['warning', 'failed', 'warning'],
    ['success', 'success', 'success'],
    ['success', 'warning', 'success'],
    ['success', undefined, 'success'],
    ['success', 'failed', 'recovered'],
    ['success', 'lost', 'recovered'],
  ] as const)('of a run that ended with %s after %s is %s', (status, previousStatus, event) => {
    expect(eventOf({ outcome: { ...RUN, status }, previousStatus })).toBe(event);
  });

  it('of a run that did not begin is that', () => {
    expect(eventOf({ outcome: undefined, previousStatus: 'success' })).toBe('missed');
  });

  it('is told when it is wanted', () => {
    expect(['failure', 'warning', 'recovered', 'missed'].every((event) => isWanted(event as 'failure', {}))).toBe(true);
    expect(isWanted('success', {})).toBe(false);
    expect(isWanted('recovered', { on: ['success'] })).toBe(true);
    expect(isWanted('recovered', { on: ['failure'] })).toBe(false);
  });
});

describe('the words of an alert', () => {
  it('say first how it ended', () => {
    expect(subjectOf('failure', FACTS)).toBe('[Cairn] FAILED: nightly on web');
    expect(subjectOf('success', { job: 'a\r\nBcc: b@c', host: 'd\0' })).toBe('[Cairn] success: a Bcc: b@c on d');
    const body = bodyOf('failure', FACTS);
    expect(body).toContain('dump:mysql: mariadb-dump ended with status 2');
    expect(body).toContain('web-2026-11-21');
    expect(body).toContain('first\nlast');
    expect(bodyOf('missed', { ...FACTS, outcome: undefined, dueAt: '2026-11-21T02:00:00Z' })).toContain(
      'due at 2026-11-21T02:00:00Z',
    );
  });

  it('end with whole lines of the log', () => {
    const log = Array.from({ length: 1_000 }, (_, i) => `line ${i}`).join('\n');
    const tail = tailOf(log, 100).split('\n');
    expect(tail[0]).toBe('…');
    expect(tail.slice(1).every((line) => /^line \d{3}$/.test(line))).toBe(true);
    expect(tail.at(-1)).toBe('line 999');
  });
});

describe('what a job says of alerts', () => {
  const mail = { to: ['a@b.org'], from: 'c@d.org', server: 'mx' };
  it.each([
    [{ mail: { ...mail, to: ['a@b.org\nBcc: x@y.org'] } }, 'expected an address'],
    [{ mail: { ...mail, from: 'Cairn <c@d.org>' } }, 'expected an address'],
    [{ mail: { ...mail, user: 'x' } }, 'go together'],
    [{ mail: { ...mail, security: 'none', user: 'x', 'password-file': '/p' } }, 'without TLS'],
    [{ webhook: { url: 'file:///etc/passwd' } }, 'https://'],
    [{ ping: { url: 'https://' } }, 'expected an address'],
    [{ on: [] }, ''],
    [{ on: ['always'] }, ''],
    [{ slack: {} }, ''],
  ])('is refused: %j', (alerts, message) => {
    const { success, error } = alertsSchema.safeParse(alerts);
    expect(success).toBe(false);
    expect(error?.issues.map((issue) => issue.message).join()).toContain(message);
  });
});
