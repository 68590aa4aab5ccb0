import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS = 60_000;

/** Rejects, saying what to install, when programs of Debian's packages are not there. */
export function assertInstalled(...programs: readonly string[]): void {
  const absent = programs.filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`], { env: SYSTEM }).status !== 0,
  );
  if (absent.length === 0) return;
  throw new Error(`the set-up failed: ${absent.join(', ')} not installed; run bash scripts/prepare.sh --tests as root`);
}

/** Servers live where the PATH of a user does not look; Debian has those of PostgreSQL in a directory for each version. */
const SYSTEM = {
  ...process.env,
  PATH: [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', ...postgresql()].join(':'),
};

function postgresql(): string[] {
  const versions = '/usr/lib/postgresql';
  if (!existsSync(versions)) return [];
  return readdirSync(versions).map((version) => join(versions, version, 'bin'));
}

/**
 * A server of a test in a directory of its own, as the system's user for it when the test is root; it ends with the test, however
 * that ends.
 */
export class Daemon {
  readonly directory: string;
  private readonly user: string;
  private child: ChildProcess | undefined;
  private said = '';

  constructor(name: string, user: string) {
    this.user = user;
    this.directory = realpathSync(mkdtempSync(join(tmpdir(), `cairn-${name}-`)));
    this.give(this.directory);
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  /** A new directory that belongs to the server. */
  makeDirectory(name: string): string {
    mkdirSync(this.path(name), { mode: 0o700 });
    this.give(this.path(name));
    return this.path(name);
  }

  /** Makes a path belong to the server. */
  give(path: string): void {
    if (process.geteuid?.() !== 0) return;
    const id = (option: string): number => Number(execFileSync('id', [option, this.user], { encoding: 'utf8' }));
    chownSync(path, id('-u'), id('-g'));
    chmodSync(path, 0o755);
  }

  /** Runs a program as the user of the server to its end; gives what it prints. */
  run(command: readonly string[], input = ''): string {
    const [program = '', ...args] = this.prefixed(command);
    const { status, stdout, stderr } = spawnSync(program, args, { env: SYSTEM, cwd: '/', input, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command[0]} ended with ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  /** Starts the server, and waits until `isUp`. */
  async start(command: readonly string[], isUp: () => boolean): Promise<void> {
    const [program = '', ...args] = this.prefixed(command);
    const child = spawn(program, args, { env: SYSTEM, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (this.said += String(text)));
    const until = performance.now() + START_MS;
    while (!isUp()) {
      if (child.exitCode !== null || performance.now() > until) {
        throw new Error(`${command[0]} did not start: ${this.said.slice(-2_000)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Asks the server to end, and waits until it did. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  /** Ends the server, and removes all that it had. */
  remove(): void {
    this.child?.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The kernel ends it with this process (prctl(2), PR_SET_PDEATHSIG), which setpriv sets after the user. */
  private prefixed(command: readonly string[]): readonly string[] {
    const { user } = this;
    const identity = process.geteuid?.() === 0 ? ['--reuid', user, '--regid', user, '--init-groups'] : [];
    return ['setpriv', ...identity, '--pdeathsig', 'KILL', '--', ...command];
  }
}
