import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Sshd } from '../../../repo-server/test/support/sshd.ts';

const SFTP_SERVER = '/usr/lib/openssh/sftp-server';

/** An account of this machine that may do nothing in particular, and an OpenSSH server where it logs in for SFTP. Needs root. */
export class SftpAccount implements AsyncDisposable {
  readonly name: string;
  readonly uid: number;
  private readonly sshd: Sshd;

  private constructor(name: string, sshd: Sshd) {
    this.name = name;
    this.sshd = sshd;
    this.uid = Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
  }

  /** @param home its directory, which exists. */
  static async make(home: string): Promise<SftpAccount> {
    const name = `cairn-sftp-${process.pid}`;
    // `*` is no password, and unlike `!` it does not lock the account: it logs in with a key.
    execFileSync('useradd', ['--no-create-home', '--home-dir', home, '--shell', '/bin/sh', '--password', '*', name]);
    try {
      const sshd = await Sshd.start([`Subsystem sftp ${SFTP_SERVER}`, `AllowUsers ${name}`]);
      sshd.authorize(readFileSync(`${sshd.key(name)}.pub`, 'utf8').trim());
      // Read by the account itself.
      chmodSync(sshd.directory, 0o755);
      chmodSync(join(sshd.directory, 'authorized_keys'), 0o644);
      return new SftpAccount(name, sshd);
    } catch (error) {
      execFileSync('userdel', [name]);
      throw error;
    }
  }

  /** What the real `sftp` does with these commands after it logged in. */
  sftp(commands: readonly string[]): { readonly status: number | null; readonly text: string } {
    const args = [
      '-q',
      '-b',
      '-',
      '-P',
      String(this.sshd.port),
      ...this.sshd.options(this.name),
      `${this.name}@127.0.0.1`,
    ];
    const { status, stdout, stderr } = spawnSync('sftp', args, {
      encoding: 'utf8',
      input: `${commands.join('\n')}\n`,
      env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8' },
    });
    return { status, text: stdout + stderr };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sshd[Symbol.asyncDispose]();
    // The last of its sessions may still be about to end.
    execFileSync('userdel', ['--force', this.name], { stdio: 'ignore' });
  }
}
