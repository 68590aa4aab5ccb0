import { freePort, spawnBound } from '@cairn/core/testing';
import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';

const SSHD = '/usr/sbin/sshd';

/** The command as sshd runs it: by the same Node as the test, from the built package. */
export const SERVER_COMMAND = `${process.execPath} ${fileURLToPath(new URL('../../dist/main.js', import.meta.url))}`;

/** OpenSSH's own server on a loopback port, with keys that are thrown away. */
export class Sshd implements AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  private child: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.directory = directory;
    this.port = port;
  }

  /** @param settings more lines of its configuration (sshd_config(5)). */
  static async start(settings: readonly string[] = []): Promise<Sshd> {
    if (!existsSync(SSHD)) throw new Error('sshd is not installed; `bash scripts/prepare.sh --tests` does it');
    const directory = mkdtempSync(join(tmpdir(), 'cairn-sshd-'));
    const at = (name: string): string => join(directory, name);
    makeKey(at('host'));
    const port = await freePort();
    writeFileSync(at('authorized_keys'), '', { mode: 0o600 });
    writeFileSync(
      at('config'),
      [
        `Port ${port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${at('host')}`,
        `AuthorizedKeysFile ${at('authorized_keys')}`,
        `PidFile ${at('pid')}`,
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'PermitRootLogin yes',
        'MaxStartups 100',
        'MaxSessions 100',
        ...settings,
      ].join('\n'),
    );
    // Where sshd, run as root, locks up its unprivileged part.
    if (process.geteuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
    writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${readFileSync(at('host.pub'), 'utf8')}`);
    const sshd = new Sshd(directory, port);
    await sshd.run();
    return sshd;
  }

  /** Listens, at first and again after `cut`. */
  async run(): Promise<void> {
    const child = spawnBound(SSHD, ['-D', '-e', '-f', join(this.directory, 'config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const { stderr } = child;
    if (stderr === null) throw new Error('sshd has no standard error');
    let said = '';
    await new Promise<void>((resolve, reject) => {
      stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (said.includes('Server listening')) resolve();
      });
      child.once('exit', () => reject(new Error(`sshd did not start: ${said}`)));
    });
    this.child = child;
  }

  /** As if the machine had gone: connections break, and there are no new ones. */
  async cut(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.child = undefined;
    const exited = once(child, 'exit');
    const sessions = childrenOf(child.pid);
    child.kill('SIGKILL');
    await exited;
    for (const pid of sessions) process.kill(pid, 'SIGKILL');
  }

  /** Makes a key pair, and gives the path of the private one. */
  key(name: string): string {
    const path = join(this.directory, name);
    if (!existsSync(path)) makeKey(path);
    return path;
  }

  authorize(...lines: readonly string[]): void {
    writeFileSync(join(this.directory, 'authorized_keys'), `${lines.join('\n')}\n`, { mode: 0o600 });
  }

  get address(): string {
    return `ssh://${userInfo().username}@127.0.0.1:${this.port}`;
  }

  /** Options for ssh that use a key and know this server, and nothing of the machine's own configuration. */
  options(key: string): string[] {
    const known = `UserKnownHostsFile=${join(this.directory, 'known_hosts')}`;
    return ['-F', '/dev/null', '-i', this.key(key), '-o', 'IdentitiesOnly=yes', '-o', known];
  }

  /** HTTP/2 with whatever the forced command of that key is. */
  session(key: string): ClientHttp2Session {
    const args = [...this.options(key), '-T', '-p', String(this.port), '127.0.0.1', 'serve'];
    const child = spawnBound('ssh', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new Error('ssh has no standard input and output');
    const session = connectHttp2('http://ssh', {
      createConnection: () => Duplex.from({ readable: stdout, writable: stdin }),
    });
    session.once('close', () => void child.kill());
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child !== undefined) {
      const exited = once(this.child, 'exit');
      this.child.kill();
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Processes whose parent this is (proc_pid_stat(5), field 4). */
function childrenOf(parent: number | undefined): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]) === parent;
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}

function makeKey(path: string): void {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
}
