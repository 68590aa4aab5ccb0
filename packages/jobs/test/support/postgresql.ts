import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';

import { assertInstalled, Daemon } from './daemon.ts';

/** PostgreSQL of Debian on a socket, where only a password lets in. */
export class Postgresql {
  readonly password = 'geheim:mit\\doppelpunkt';
  readonly passwordFile: string;
  private readonly daemon = new Daemon('postgresql', 'postgres');

  private constructor() {
    this.passwordFile = this.daemon.path('pgpass');
    const escaped = this.password.replaceAll('\\', '\\\\').replaceAll(':', '\\:');
    writeFileSync(this.passwordFile, `*:*:*:postgres:${escaped}\n`);
    chmodSync(this.passwordFile, 0o600);
  }

  static async start(): Promise<Postgresql> {
    assertInstalled('postgres', 'initdb', 'psql', 'pg_dump');
    const server = new Postgresql();
    try {
      await server.run();
      return server;
    } catch (error) {
      server.remove();
      throw error;
    }
  }

  /** Directory of the socket. */
  get host(): string {
    return this.daemon.directory;
  }

  /** What a statement answers: rows of values between tabs. */
  sql(statements: string, database = 'postgres'): string {
    const name = `'${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
    const connection = `host=${this.host} user=postgres dbname=${name} client_encoding=UTF8`;
    const options = ['-X', '-q', '-A', '-t', '-F', '\t', '-v', 'ON_ERROR_STOP=1', '-d', connection];
    return this.daemon.run(['env', `PGPASSWORD=${this.password}`, 'psql', ...options], statements);
  }

  /** Holds a table of a database, so that nobody else reads it, until it is killed. Returns when it does. */
  lock(table: string, database: string): ChildProcess {
    const connection = `host=${this.host} user=postgres dbname=${database}`;
    const env = { ...process.env, PGPASSWORD: this.password };
    const child = spawn('psql', ['-X', '-q', '-d', connection], { env, stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.write(`BEGIN; LOCK TABLE ${table};\n`);
    const held = `SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted`;
    while (this.sql(held, database).trim() === '0');
    return child;
  }

  remove(): void {
    this.daemon.remove();
  }

  private async run(): Promise<void> {
    const password = this.daemon.path('password');
    writeFileSync(password, `${this.password}\n`);
    this.daemon.give(password);
    const data = this.daemon.path('data');
    const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${password}`];
    this.daemon.run(['initdb', `--pgdata=${data}`, '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync', ...login]);
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${this.host}`,
      'fsync=off',
      'shared_buffers=8MB',
      'autovacuum=off',
    ];
    const command = ['postgres', '-D', data, ...settings.flatMap((setting) => ['-c', setting])];
    await this.daemon.start(command, () => this.isUp());
  }

  private isUp(): boolean {
    try {
      this.sql('SELECT 1');
      return true;
    } catch {
      return false;
    }
  }
}
