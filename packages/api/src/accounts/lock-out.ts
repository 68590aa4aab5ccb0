import { CairnError, OneAtATime, PANEL, type Environment } from '@cairn/core';
import { sourceOf } from '@cairn/repo-server/serving';

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
 * Counts failed attempts at passwords, setup links and recovery keys, by account and by address. Names are counted whether there is such an
 * account or not, so that nothing is learned from it. One attempt is judged after the other: many at once are no way around.
 */
export class LockOut {
  private readonly state: State;
  private readonly environment: Environment;
  private readonly queue = new OneAtATime();

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /**
   * Does `work`, which rejects when the attempt was wrong, and that counts. Rejects with `TOO_MANY_REQUESTS`, and does not begin it, while
   * the account or the address has to wait.
   */
  async attempt<T>(address: string, account: string | undefined, work: () => Promise<T>): Promise<T> {
    return await this.queue.run(() => this.judge(address, account, work));
  }

  private async judge<T>(address: string, account: string | undefined, work: () => Promise<T>): Promise<T> {
    const subjects = [
      ['address', `address:${sourceOf(address)}`] as const,
      ...(account === undefined ? [] : [['account', `account:${account}`] as const]),
    ];
    const now = nowMs(this.environment.clock);
    const waitMs = Math.max(...subjects.map(([, subject]) => (this.row(subject)?.locked_until_ms ?? 0) - now));
    if (waitMs > 0) throw tooMany(waitMs);
    try {
      const result = await work();
      // The account is proved; an address that guesses at many accounts is not forgiven for knowing one.
      for (const [kind, subject] of subjects) {
        if (kind === 'account') this.state.run('DELETE FROM attempts WHERE subject = ?', subject);
      }
      return result;
    } catch (error) {
      this.state.transaction(() => {
        this.state.run('DELETE FROM attempts WHERE last_ms < ?', now - PANEL.failuresForgottenMs);
        for (const [kind, subject] of subjects) this.count(subject, FREE_FAILURES[kind], now);
      });
      throw error;
    }
  }

  private row(subject: string): AttemptRow | undefined {
    return this.state.get<AttemptRow>(
      'SELECT failures, last_ms, locked_until_ms FROM attempts WHERE subject = ?',
      subject,
    );
  }

  private count(subject: string, free: number, now: number): void {
    const { failures: before = 0, last_ms: lastMs = now } = this.row(subject) ?? {};
    // An address of many people would else have to wait for ever for the mistakes of each.
    const failures = Math.max(0, before - Math.floor((now - lastMs) / PANEL.failureMs)) + 1;
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

function tooMany(waitMs: number): CairnError {
  const seconds = Math.ceil(waitMs / 1000);
  return new CairnError('TOO_MANY_REQUESTS', `too many attempts failed; the next one is possible in ${seconds} s`, {
    hint: 'Wait; each further failure makes it longer.',
    details: { retry_after_s: seconds },
  });
}
