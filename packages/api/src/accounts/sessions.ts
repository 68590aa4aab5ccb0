import { PANEL, type Environment } from '@cairn/core';
import { hashOfToken } from '@cairn/repo-server/serving';
import { createHash, timingSafeEqual } from 'node:crypto';

import { rightsOf } from '../rights/table.ts';
import type { Principal } from '../rights/principal.ts';
import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';
import { accountOf, type Account, type AccountRow } from './accounts.ts';

const SECRET_BYTES = 32;
const ID_BYTES = 12;
/** Characters of a browser's name that are kept. */
const AGENT_CHARACTERS = 200;

export interface Session {
  readonly id: string;
  readonly address: string;
  readonly agent: string;
  readonly createdMs: number;
  readonly seenMs: number;
}

interface SessionRow {
  readonly session: string;
  readonly address: string;
  readonly agent: string;
  readonly started_ms: number;
  readonly seen_ms: number;
}

/** Who is logged in with a browser. The secret is in the browser's cookie alone; here is its SHA-256. */
export class Sessions {
  private readonly state: State;
  private readonly environment: Environment;

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /** Begins a session, and gives its secret. The oldest of the account ends when it has too many. */
  begin(account: Account, address: string, agent: string): string {
    const { random, clock } = this.environment;
    const secret = Buffer.from(random.bytes(SECRET_BYTES)).toString('base64url');
    const now = nowMs(clock);
    this.state.transaction(() => {
      this.forget(now);
      this.state.run(
        'INSERT INTO sessions (hash, id, account, address, agent, created_ms, seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?)',
        hashOfToken(secret),
        Buffer.from(random.bytes(ID_BYTES)).toString('hex'),
        account.id,
        address,
        agent.slice(0, AGENT_CHARACTERS),
        now,
        now,
      );
      this.state.run(
        'DELETE FROM sessions WHERE account = ? AND hash NOT IN ' +
          '(SELECT hash FROM sessions WHERE account = ? ORDER BY created_ms DESC, rowid DESC LIMIT ?)',
        account.id,
        account.id,
        PANEL.sessions,
      );
    });
    return secret;
  }

  /** Who the secret of a session is of; undefined when there is none, or it is over. */
  principal(secret: string): Principal | undefined {
    const now = nowMs(this.environment.clock);
    const row = this.state.get<AccountRow & SessionRow>(
      'SELECT a.*, s.id AS session, s.seen_ms, s.created_ms AS started_ms FROM sessions s JOIN accounts a ON a.id = s.account ' +
        'WHERE s.hash = ? AND a.disabled = 0 AND s.seen_ms > ? AND s.created_ms > ?',
      hashOfToken(secret),
      now - PANEL.sessionIdleMs,
      now - PANEL.sessionMs,
    );
    if (row === undefined) return undefined;
    // Not at each request: that would be a write to the disk for each.
    if (now - row.seen_ms > PANEL.sessionSeenMs)
      this.state.note('UPDATE sessions SET seen_ms = ? WHERE id = ?', now, row.session);
    const { id, name, role, repositories, paths } = accountOf(row);
    return {
      account: id,
      name,
      role,
      rights: new Set(rightsOf(role)),
      repositories,
      ownPaths: role === 'restore-own-paths' ? (paths ?? []) : undefined,
      via: 'session',
      credential: row.session,
    };
  }

  /** The sessions of an account that are not over, the newest first. */
  list(account: number): Session[] {
    this.forget(nowMs(this.environment.clock));
    return this.state
      .all<SessionRow>(
        'SELECT id AS session, address, agent, created_ms AS started_ms, seen_ms FROM sessions WHERE account = ? ORDER BY created_ms DESC',
        account,
      )
      .map((row) => ({
        id: row.session,
        address: row.address,
        agent: row.agent,
        createdMs: row.started_ms,
        seenMs: row.seen_ms,
      }));
  }

  /** Ends a session of the account; false when there is none. */
  end(account: number, id: string): boolean {
    return this.state.run('DELETE FROM sessions WHERE account = ? AND id = ?', account, id) > 0;
  }

  private forget(now: number): void {
    const { sessionIdleMs, sessionMs } = PANEL;
    this.state.run('DELETE FROM sessions WHERE seen_ms <= ? OR created_ms <= ?', now - sessionIdleMs, now - sessionMs);
  }
}

/** What a page must send beside the cookie, and what no page of another site can know. It follows from the cookie's secret. */
export function forgeryToken(secret: string): string {
  return createHash('sha256').update(`cairn panel forgery ${secret}`).digest('base64url');
}

export function isForgeryToken(secret: string, given: string | undefined): boolean {
  const expected = Buffer.from(forgeryToken(secret));
  const bytes = Buffer.from(given ?? '');
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}
