import { PANEL, type Clock } from '@cairn/core';

import type { Route } from '../http/route.ts';
import type { Principal } from '../rights/principal.ts';
import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';

/** Characters of a path that are kept. */
const MOST_CHARACTERS = 1_000;
/** HTTP status of what has to wait. */
const HELD_BACK = 429;
const DAY_MS = 86_400_000;

/** Something that is about to be done. */
export interface Act {
  readonly principal: Principal | undefined;
  readonly address: string;
  readonly route: Pick<Route, 'method' | 'path'>;
  /** The path as it was asked for. */
  readonly target: string;
}

export interface ActEnd {
  readonly status: number;
  readonly code?: string | undefined;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

/** One line of the audit trail. */
export interface AuditEntry {
  readonly id: number;
  readonly atMs: number;
  /** Name of the account; null when nobody was logged in. */
  readonly account: string | null;
  readonly via: string | null;
  readonly address: string;
  /** Method and path of the route. */
  readonly act: string;
  readonly target: string;
  /** HTTP status; null when the panel was ended before the act was over. */
  readonly status: number | null;
  readonly code: string | null;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
}

interface AuditRow {
  readonly id: number;
  readonly at_ms: number;
  readonly account: string | null;
  readonly via: string | null;
  readonly address: string;
  readonly act: string;
  readonly target: string;
  readonly status: number | null;
  readonly code: string | null;
  readonly facts: string | null;
}

export interface AuditFilter {
  readonly before?: number | undefined;
  readonly limit: number;
  readonly account?: string | undefined;
  readonly act?: string | undefined;
}

/** Who did what, from where, and how it ended. Nothing in it is ever changed but the end of an act; no route removes any. */
export class Audit {
  private readonly state: State;
  private readonly clock: Clock;
  private forgotMs = 0;

  constructor(state: State, clock: Clock) {
    this.state = state;
    this.clock = clock;
  }

  /** Writes down what is about to be done. Gives what says how it ended. */
  begin({ principal, address, route, target }: Act): { readonly end: (how: ActEnd) => void } {
    const now = nowMs(this.clock);
    this.forget(now);
    const { id } = this.state.get<{ id: number }>(
      'INSERT INTO audit (at_ms, account, via, address, act, target) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
      now,
      principal?.name ?? null,
      principal === undefined ? null : `${principal.via} ${principal.credential}`,
      address,
      `${route.method} ${route.path}`,
      target.slice(0, MOST_CHARACTERS),
    ) ?? { id: 0 };
    return {
      end: ({ status, code, facts }) => {
        if (principal === undefined && status === HELD_BACK) {
          // Nobody, who was not even listened to: somebody who hammers at the door must not fill the disk.
          this.state.run('DELETE FROM audit WHERE id = ?', id);
          return;
        }
        const text = Object.keys(facts).length === 0 ? null : JSON.stringify(facts);
        this.state.run('UPDATE audit SET status = ?, code = ?, facts = ? WHERE id = ?', status, code ?? null, text, id);
      },
    };
  }

  /** Once a day: a panel runs for years. */
  private forget(now: number): void {
    if (now - this.forgotMs < DAY_MS) return;
    this.forgotMs = now;
    this.state.run('DELETE FROM audit WHERE at_ms < ?', now - PANEL.auditMs);
  }

  /** The newest first. */
  list({ before, limit, account, act }: AuditFilter): AuditEntry[] {
    return this.state
      .all<AuditRow>(
        'SELECT * FROM audit WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR account = ?2) AND (?3 IS NULL OR act = ?3) ' +
          'ORDER BY id DESC LIMIT ?4',
        before ?? null,
        account ?? null,
        act ?? null,
        limit,
      )
      .map(({ at_ms: atMs, facts, ...row }) => ({ ...row, atMs, facts: factsOf(facts) }));
  }
}

function factsOf(text: string | null): AuditEntry['facts'] {
  if (text === null) return {};
  return JSON.parse(text) as AuditEntry['facts'];
}
