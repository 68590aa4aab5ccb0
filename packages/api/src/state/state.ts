import { CairnError, isCairnError } from '@cairn/core';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { MIGRATIONS } from './migrations.ts';
import { databaseError, loadSqlite, type Database } from './sqlite.ts';

/** A value of a column. */
export type Value = string | number | null | Uint8Array;

type Statement = ReturnType<Database['prepare']>;

/** Milliseconds that a statement waits for another process. */
const BUSY_MS = 5_000;

/**
 * What the panel remembers: a SQLite database `panel.db`, mode 0600. Calls are synchronous and take microseconds; what was
 * written is on the disk when they return. Nothing of it is cached anywhere else, so it holds whoever else writes to it.
 */
export class State implements Disposable {
  private readonly database: Database;
  private readonly path: string;
  private readonly statements = new Map<string, Statement>();
  private inside = false;

  private constructor(database: Database, path: string) {
    this.database = database;
    this.path = path;
  }

  /**
   * Opens the database, makes it when it is not there, and brings its tables up to date. Rejects with `FORMAT_UNSUPPORTED`. What is
   * asked of it throws `STORE_FULL` when the disk has no room, and `STORE_FAILED` when it cannot be written or read.
   */
  static async open(directory: string): Promise<State> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { DatabaseSync } = await loadSqlite();
    const path = join(directory, 'panel.db');
    try {
      const database = new DatabaseSync(path);
      await chmod(path, 0o600);
      database.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
      // FULL: a token that was revoked, or a key that was proved saved, stays so after a power cut.
      database.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF',
      );
      const state = new State(database, path);
      state.transaction(() => state.migrate());
      return state;
    } catch (error) {
      throw databaseError(error, path) ?? error;
    }
  }

  /** The first row, or undefined. */
  get<Row>(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.asked(() => this.prepared(sql).get(...values)) as Row | undefined;
  }

  all<Row>(sql: string, ...values: readonly Value[]): Row[] {
    return this.asked(() => this.prepared(sql).all(...values)) as Row[];
  }

  /** Gives the number of rows that were changed. */
  run(sql: string, ...values: readonly Value[]): number {
    return Number(this.asked(() => this.prepared(sql).run(...values)).changes);
  }

  /** As `run`, for what is nice to know: a disk without room does not keep anybody from reading. */
  note(sql: string, ...values: readonly Value[]): void {
    try {
      this.run(sql, ...values);
    } catch (error) {
      if (!isCairnError(error, 'STORE_FULL')) throw error;
    }
  }

  /** Does all of `work`, which must not wait for anything, or nothing of it. A transaction within another is a part of it. */
  transaction<T>(work: () => T): T {
    if (this.inside) return work();
    this.asked(() => this.database.exec('BEGIN IMMEDIATE'));
    this.inside = true;
    try {
      const result = work();
      this.asked(() => this.database.exec('COMMIT'));
      return result;
    } catch (error) {
      // A full disk has rolled it back already (sqlite.org/lang_transaction.html, section 3.1). Node.js before 22.16 does not tell.
      if (this.database.isTransaction !== false) this.database.exec('ROLLBACK');
      throw error;
    } finally {
      this.inside = false;
    }
  }

  [Symbol.dispose](): void {
    this.statements.clear();
    this.database.close();
  }

  private prepared(sql: string): Statement {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  private asked<T>(ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      throw databaseError(error, this.path) ?? error;
    }
  }

  private migrate(): void {
    const { user_version: version = 0 } = this.get<{ user_version: number }>('PRAGMA user_version') ?? {};
    if (version > MIGRATIONS.length) {
      throw new CairnError('FORMAT_UNSUPPORTED', `${this.path} was written by a newer Cairn`, {
        hint: 'Use that one.',
      });
    }
    for (const migration of MIGRATIONS.slice(version)) this.database.exec(migration);
    this.database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  }
}
