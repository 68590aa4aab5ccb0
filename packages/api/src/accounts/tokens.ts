import { CairnError, type Environment } from '@cairn/core';
import { hashOfToken, makeToken } from '@cairn/repo-server/serving';

import type { Principal } from '../rights/principal.ts';
import { RIGHT_NAMES, rightsOf, type RightName } from '../rights/table.ts';
import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';
import { accountOf, listOf, type AccountRow } from './accounts.ts';

const ID_BYTES = 12;

/** A token as it is listed: everything but the token. */
export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly rights: readonly RightName[];
  readonly repositories: readonly string[] | undefined;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly usedMs: number | null;
}

export interface TokenFacts {
  readonly name: string;
  readonly rights: readonly RightName[];
  readonly repositories?: readonly string[] | undefined;
  readonly expiresMs: number;
}

interface TokenRow {
  readonly token: string;
  readonly token_name: string;
  readonly rights: string;
  readonly token_repositories: string | null;
  readonly made_ms: number;
  readonly expires_ms: number;
  readonly used_ms: number | null;
}

const COLUMNS =
  't.id AS token, t.name AS token_name, t.rights, t.repositories AS token_repositories, t.created_ms AS made_ms, t.expires_ms, t.used_ms';

/** Milliseconds between two notes of when a token was used. */
const USED_EVERY_MS = 60_000;

/** Credentials for programs. Each is shown once; what is kept is its SHA-256. It can never do more than its account. */
export class ApiTokens {
  private readonly state: State;
  private readonly environment: Environment;

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /** Makes a token of a principal. Rejects with `NOT_ALLOWED` when it would have rights or repositories that its maker has not. */
  create(maker: Principal, facts: TokenFacts): { readonly token: string; readonly id: string } {
    const excess = facts.rights.find((right) => !maker.rights.has(right));
    const foreign = facts.repositories?.find(
      (name) => maker.repositories !== undefined && !maker.repositories.includes(name),
    );
    if (excess !== undefined || foreign !== undefined) {
      throw new CairnError('NOT_ALLOWED', `a token cannot have more than its account: ${excess ?? foreign}`, {
        hint: 'Leave it out; GET /api/v1/session shows what the account has.',
      });
    }
    const { random, clock } = this.environment;
    const token = makeToken(random);
    const id = Buffer.from(random.bytes(ID_BYTES)).toString('hex');
    this.state.run(
      'INSERT INTO tokens (id, hash, account, name, rights, repositories, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      hashOfToken(token),
      maker.account,
      facts.name,
      JSON.stringify(facts.rights),
      facts.repositories === undefined ? null : JSON.stringify(facts.repositories),
      nowMs(clock),
      facts.expiresMs,
    );
    return { token, id };
  }

  /** Who a token is of; undefined when there is none, or it has expired. */
  principal(token: string): Principal | undefined {
    const now = nowMs(this.environment.clock);
    const row = this.state.get<AccountRow & TokenRow>(
      `SELECT a.*, ${COLUMNS} FROM tokens t JOIN accounts a ON a.id = t.account WHERE t.hash = ? AND a.disabled = 0 AND t.expires_ms > ?`,
      hashOfToken(token),
      now,
    );
    if (row === undefined) return undefined;
    if (now - (row.used_ms ?? 0) > USED_EVERY_MS)
      this.state.note('UPDATE tokens SET used_ms = ? WHERE id = ?', now, row.token);
    const { id, name, role, repositories, paths } = accountOf(row);
    const scope = new Set(rightNames(row.rights));
    const bound = listOf(row.token_repositories);
    return {
      account: id,
      name,
      role,
      // What the account has lost since, the token has lost too.
      rights: new Set(rightsOf(role).filter((right) => scope.has(right))),
      repositories: bound === undefined ? repositories : bound.filter((each) => repositories?.includes(each) ?? true),
      ownPaths: role === 'restore-own-paths' ? (paths ?? []) : undefined,
      via: 'token',
      credential: row.token,
    };
  }

  /** Tokens of an account, the newest first, expired ones too. */
  list(account: number): ApiToken[] {
    return this.state
      .all<TokenRow>(
        `SELECT ${COLUMNS} FROM tokens t WHERE t.account = ? ORDER BY t.created_ms DESC, t.rowid DESC`,
        account,
      )
      .map((row) => ({
        id: row.token,
        name: row.token_name,
        rights: rightNames(row.rights),
        repositories: listOf(row.token_repositories),
        createdMs: row.made_ms,
        expiresMs: row.expires_ms,
        usedMs: row.used_ms,
      }));
  }

  /** Ends a token of the account. Rejects with `NOT_FOUND`. */
  revoke(account: number, id: string): void {
    if (this.state.run('DELETE FROM tokens WHERE account = ? AND id = ?', account, id) > 0) return;
    throw new CairnError('NOT_FOUND', 'there is no such token');
  }
}

/** The rights in a column. One that a later version took away counts for nothing. */
function rightNames(text: string): RightName[] {
  const names = JSON.parse(text) as string[];
  return RIGHT_NAMES.filter((name) => names.includes(name));
}
