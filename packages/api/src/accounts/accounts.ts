import { CairnError, type Environment } from '@cairn/core';

import type { Role } from '../rights/table.ts';
import type { State } from '../state/state.ts';
import { nowMs } from '../state/time.ts';
import { checkPassword, hashPassword } from './password.ts';

export interface Account {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  /** Names of the repositories that it may ask for; undefined: all. */
  readonly repositories: readonly string[] | undefined;
  /** Paths of archives that are its own; undefined: all. */
  readonly paths: readonly string[] | undefined;
  readonly disabled: boolean;
  readonly createdMs: number;
  readonly passwordMs: number;
}

export interface AccountRow {
  readonly id: number;
  readonly name: string;
  readonly role: Role;
  readonly password: string;
  readonly repositories: string | null;
  readonly paths: string | null;
  readonly disabled: number;
  readonly created_ms: number;
  readonly password_ms: number;
}

/** What an account is made of, beside its password. */
export interface AccountFacts {
  readonly name: string;
  readonly role: Role;
  readonly repositories?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
}

/** What may be changed; what is undefined stays. `null` takes a bound away. */
export interface AccountChange {
  readonly role?: Role | undefined;
  readonly repositories?: readonly string[] | null | undefined;
  readonly paths?: readonly string[] | null | undefined;
  readonly disabled?: boolean | undefined;
}

export function accountOf(row: AccountRow): Account {
  return {
    id: row.id,
    name: row.name,
    role: row.role,
    repositories: listOf(row.repositories),
    paths: listOf(row.paths),
    disabled: row.disabled !== 0,
    createdMs: row.created_ms,
    passwordMs: row.password_ms,
  };
}

/** A list that is in a column as JSON. */
export function listOf(text: string | null): readonly string[] | undefined {
  return text === null ? undefined : (JSON.parse(text) as string[]);
}

function columnOf(list: readonly string[] | null | undefined): string | null {
  return list === undefined || list === null ? null : JSON.stringify(list);
}

/** The accounts of the panel. */
export class Accounts {
  private readonly state: State;
  private readonly environment: Environment;

  constructor(state: State, environment: Environment) {
    this.state = state;
    this.environment = environment;
  }

  /** Whether anybody can log in; until then only the setup link makes an account. */
  isEmpty(): boolean {
    return this.state.get('SELECT 1 FROM accounts LIMIT 1') === undefined;
  }

  list(): Account[] {
    return this.state.all<AccountRow>('SELECT * FROM accounts ORDER BY name').map(accountOf);
  }

  /** Rejects with `NOT_FOUND`. */
  get(name: string): Account {
    return accountOf(this.row(name));
  }

  /** Rejects with `CONFLICT` when there is one of that name, or `allowed` says no. */
  async create(facts: AccountFacts, password: string, allowed: () => void = () => undefined): Promise<Account> {
    const hash = await hashPassword(this.environment.random, password);
    return this.state.transaction(() => {
      allowed();
      if (this.state.get('SELECT 1 FROM accounts WHERE name = ?', facts.name) !== undefined) {
        throw new CairnError('CONFLICT', `there is an account ${facts.name} already`, { hint: 'Choose another name.' });
      }
      const now = nowMs(this.environment.clock);
      this.state.run(
        `INSERT INTO accounts (name, role, password, repositories, paths, created_ms, password_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
        facts.name,
        facts.role,
        hash,
        columnOf(facts.repositories),
        columnOf(facts.paths),
        now,
        now,
      );
      return this.get(facts.name);
    });
  }

  /** Changes an account. Rejects with `NOT_FOUND`, and with `CONFLICT` when no admin would be left. */
  change(name: string, change: AccountChange): Account {
    return this.state.transaction(() => {
      const { id, ...now } = this.get(name);
      const { role = now.role, disabled = now.disabled } = change;
      const repositories = change.repositories === undefined ? now.repositories : change.repositories;
      const paths = change.paths === undefined ? now.paths : change.paths;
      this.state.run(
        'UPDATE accounts SET role = ?, disabled = ?, repositories = ?, paths = ? WHERE id = ?',
        role,
        disabled ? 1 : 0,
        columnOf(repositories),
        columnOf(paths),
        id,
      );
      if (disabled) this.state.run('DELETE FROM sessions WHERE account = ?', id);
      this.assertAdminLeft();
      return this.get(name);
    });
  }

  /** Removes an account with its sessions and tokens. Rejects with `NOT_FOUND`, and with `CONFLICT` for the last admin. */
  remove(name: string): void {
    this.state.transaction(() => {
      this.state.run('DELETE FROM accounts WHERE id = ?', this.get(name).id);
      this.assertAdminLeft();
    });
  }

  /** Sets a password. All sessions of the account end. Rejects with `NOT_FOUND`. */
  async setPassword(name: string, password: string): Promise<void> {
    await this.replacePassword(name, password, undefined, '');
  }

  /**
   * Sets another password for an account whose password was proved just now. Its sessions end, but the one that is named. Rejects with
   * `CONFLICT` when somebody else, who knew the same password, was faster.
   */
  async changePassword(proved: Account, password: string, keepSession: string): Promise<void> {
    await this.replacePassword(proved.name, password, proved.passwordMs, keepSession);
  }

  private async replacePassword(
    name: string,
    password: string,
    setMs: number | undefined,
    keepSession: string,
  ): Promise<void> {
    const hash = await hashPassword(this.environment.random, password);
    this.state.transaction(() => {
      const { id, passwordMs } = this.get(name);
      if (setMs !== undefined && setMs !== passwordMs) {
        throw new CairnError('CONFLICT', `the password of ${name} was changed meanwhile`, {
          hint: 'Log in with the new one; an admin can set another.',
        });
      }
      const now = nowMs(this.environment.clock);
      this.state.run('UPDATE accounts SET password = ?, password_ms = ? WHERE id = ?', hash, now, id);
      this.state.run('DELETE FROM sessions WHERE account = ? AND id <> ?', id, keepSession);
    });
  }

  /** The account if the password is right and it is not disabled. Takes as long whether there is such an account or not. */
  async verified(name: string, password: string): Promise<Account | undefined> {
    const row = this.state.get<AccountRow>('SELECT * FROM accounts WHERE name = ?', name);
    const right = await checkPassword(row?.password, password);
    return right && row !== undefined && row.disabled === 0 ? accountOf(row) : undefined;
  }

  private row(name: string): AccountRow {
    const row = this.state.get<AccountRow>('SELECT * FROM accounts WHERE name = ?', name);
    if (row !== undefined) return row;
    throw new CairnError('NOT_FOUND', `there is no account ${name}`);
  }

  private assertAdminLeft(): void {
    if (this.state.get(`SELECT 1 FROM accounts WHERE role = 'admin' AND disabled = 0`) !== undefined) return;
    throw new CairnError('CONFLICT', 'no admin would be left', { hint: 'Make another account an admin first.' });
  }
}
