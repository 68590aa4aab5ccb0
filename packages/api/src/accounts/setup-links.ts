import { CairnError, PANEL, type Environment } from '@cairn/core';
import { hashOfToken, makeToken } from '@cairn/repo-server/serving';

import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';

/** The link by which the first account is made. It is printed where the panel is started, works once, and expires. */
export class SetupLinks {
  private readonly state: State;
  private readonly environment: Environment;

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /** A new secret; those before it end. */
  issue(): { readonly secret: string; readonly expiresMs: number } {
    const secret = makeToken(this.environment.random);
    const expiresMs = nowMs(this.environment.clock) + PANEL.setupLinkMs;
    this.state.transaction(() => {
      this.state.run('DELETE FROM setup_links');
      this.state.run('INSERT INTO setup_links (hash, expires_ms) VALUES (?, ?)', hashOfToken(secret), expiresMs);
    });
    return { secret, expiresMs };
  }

  /** Rejects with `LOGIN_REQUIRED` when the link is unknown, used or expired: all the same to who asks. */
  assertOpen(secret: string): void {
    const now = nowMs(this.environment.clock);
    if (
      this.state.get('SELECT 1 FROM setup_links WHERE hash = ? AND expires_ms > ?', hashOfToken(secret), now) ===
      undefined
    ) {
      throw new CairnError('LOGIN_REQUIRED', 'the setup link is unknown, was used, or has expired', {
        hint: 'Start the panel again: while there is no account it prints a new one.',
      });
    }
  }

  /** Ends the link; within the transaction that makes the account. Rejects as `assertOpen` does. */
  use(secret: string): void {
    this.assertOpen(secret);
    this.state.run('DELETE FROM setup_links');
  }
}
