import { CairnError, PANEL, type Environment } from '@cairn/core';
import { isIPv6 } from 'node:net';

import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';

interface AttemptRow {
  readonly failures: number;
  readonly last_ms: number;
  readonly locked_until_ms: number;
}

/** Failures after which a subject has to wait. An address may be of many people, so it may fail more often. */
const FREE_FAILURES = { account: PANEL.accountFailures, address: PANEL.addressFailures } as const;

/**
 * Counts attempts at passwords, setup links and groups of a key, by account and by address. Names are counted whether there is such an
 * account or not, so that nothing is learned from it. An attempt counts before it is judged: many at once are no way around.
 */
export class LockOut {
  private readonly state: State;
  private readonly environment: Environment;

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /**
   * Counts an attempt. Gives what takes it back when it was right. Rejects with `TOO_MANY_REQUESTS` while the account or the address
   * has to wait, whatever it would have tried.
   */
  attempt(address: string, account?: string): { readonly succeeded: () => void } {
    const now = nowMs(this.environment.clock);
    const subjects = [
      ['address', `address:${networkOf(address)}`] as const,
      ...(account === undefined ? [] : [['account', `account:${account}`] as const]),
    ];
    const waitMs = this.state.transaction(() => {
      this.state.run('DELETE FROM attempts WHERE last_ms < ?', now - PANEL.failuresForgottenMs);
      const waits = subjects.map(([, subject]) => (this.row(subject)?.locked_until_ms ?? 0) - now);
      const wait = Math.max(...waits);
      if (wait <= 0) for (const [kind, subject] of subjects) this.count(subject, FREE_FAILURES[kind], now);
      return wait;
    });
    if (waitMs > 0) throw tooMany(waitMs);
    return {
      succeeded: () => {
        for (const [kind, subject] of subjects) {
          // The account is proved; an address that guesses at many accounts is not forgiven for knowing one.
          if (kind === 'account') this.state.run('DELETE FROM attempts WHERE subject = ?', subject);
          else
            this.state.run(
              'UPDATE attempts SET failures = max(0, failures - 1), locked_until_ms = 0 WHERE subject = ?',
              subject,
            );
        }
      },
    };
  }

  private row(subject: string): AttemptRow | undefined {
    return this.state.get<AttemptRow>(
      'SELECT failures, last_ms, locked_until_ms FROM attempts WHERE subject = ?',
      subject,
    );
  }

  private count(subject: string, free: number, now: number): void {
    const failures = (this.row(subject)?.failures ?? 0) + 1;
    const beyond = failures - free;
    const lock = beyond < 0 ? 0 : now + Math.min(PANEL.lockMs * 2 ** Math.min(beyond, 20), PANEL.mostLockMs);
    this.state.run(
      'INSERT INTO attempts (subject, failures, last_ms, locked_until_ms) VALUES (?, ?, ?, ?) ' +
        'ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_ms = excluded.last_ms, locked_until_ms = excluded.locked_until_ms',
      subject,
      failures,
      now,
      lock,
    );
  }
}

/** Whoever has one address of IPv6 usually has all of its network of 64 bits. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const groups = address.includes('::')
    ? [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
    : left;
  return `${groups.slice(0, 4).join(':')}::/64`;
}

function tooMany(waitMs: number): CairnError {
  const seconds = Math.ceil(waitMs / 1000);
  return new CairnError('TOO_MANY_REQUESTS', `too many attempts failed; the next one is possible in ${seconds} s`, {
    hint: 'Wait; each further failure makes it longer.',
    details: { retry_after_s: seconds },
  });
}
