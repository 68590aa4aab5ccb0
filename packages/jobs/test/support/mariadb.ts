import { existsSync } from 'node:fs';

import { assertInstalled, Daemon } from './daemon.ts';

/** MariaDB of Debian on a socket, with a password for root. */
export class Mariadb {
  readonly password = 'geheim mit ü"#';
  private readonly daemon = new Daemon('mariadb', 'mysql');

  static async start(): Promise<Mariadb> {
    assertInstalled('mariadbd', 'mariadb', 'mariadb-dump', 'mariadb-install-db');
    const server = new Mariadb();
    try {
      await server.run();
      return server;
    } catch (error) {
      server.remove();
      throw error;
    }
  }

  get socket(): string {
    return this.daemon.path('socket');
  }

  /** What an option file holds for a client; `#` begins a comment there unless it is quoted, and `"` is escaped. */
  get optionFile(): string {
    return `[client]\nuser=root\nsocket=${this.socket}\npassword="${this.password.replaceAll('"', '\\"')}"\n`;
  }

  /** What statements answer: rows of values between tabs. */
  sql(statements: string, database = ''): string {
    const client = ['mariadb', '--no-defaults', '--batch', '--skip-column-names', '--default-character-set=utf8mb4'];
    const login = [`--socket=${this.socket}`, '--user=root', `--password=${this.password}`];
    return this.daemon.run([...client, ...login, ...(database === '' ? [] : [`--database=${database}`])], statements);
  }

  remove(): void {
    this.daemon.remove();
  }

  private async run(): Promise<void> {
    const data = this.daemon.makeDirectory('data');
    const place = ['--no-defaults', `--datadir=${data}`];
    this.daemon.run(['mariadb-install-db', ...place, '--auth-root-authentication-method=normal', '--skip-test-db']);
    const small = ['--innodb-buffer-pool-size=8M', '--innodb-log-file-size=4M', '--innodb-flush-log-at-trx-commit=0'];
    const names = [
      `--socket=${this.socket}`,
      `--pid-file=${this.daemon.path('pid')}`,
      '--skip-networking',
      '--event-scheduler=OFF',
    ];
    await this.daemon.start(['mariadbd', ...place, ...small, ...names], () => existsSync(this.socket));
    const root = [
      'mariadb',
      '--no-defaults',
      `--socket=${this.socket}`,
      '--user=root',
      '--default-character-set=utf8mb4',
    ];
    this.daemon.run(root, `ALTER USER root@localhost IDENTIFIED BY '${this.password}';`);
  }
}
