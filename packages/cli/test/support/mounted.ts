import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import process from 'node:process';

import { MAIN, type Workplace } from './cairn.ts';

/** Runs a program of the system, and gives what it prints; fails with what it says on standard error. */
export function sh(command: string, args: readonly string[], options: { readonly cwd?: string } = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    encoding: 'latin1',
    maxBuffer: 256 * 1024 * 1024,
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' },
    ...options,
  });
  if (error !== undefined) {
    throw new Error(`${command} could not be run; \`bash scripts/prepare.sh --tests\` installs it`, { cause: error });
  }
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} exited with ${status}: ${stderr}`);
  return stdout;
}

/** Waits until `check` gives something, looking every few milliseconds. */
export async function until<T>(what: string, check: () => T | undefined | false): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = check();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Mounts of this machine, as the kernel tells them. */
export function isMounted(directory: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${directory} `);
}

/** A mount served by a process of its own, in the foreground. */
export class Mounted implements AsyncDisposable {
  readonly directory: string;
  readonly child: ChildProcess;
  /** What it said so far. */
  text = '';
  private readonly ended: Promise<unknown>;

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.child = child;
    this.ended = once(child, 'exit');
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (part: string) => (this.text += part));
    }
  }

  /** @param prefix what to run it with, before `node`: as another user, for example. */
  static async start(
    place: Workplace,
    name: string,
    args: readonly string[],
    prefix: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Mounted> {
    const directory = place.path(name);
    if (!existsSync(directory)) mkdirSync(directory);
    const [program = '', ...rest] = [...prefix, process.execPath, MAIN, 'mount', ...args, directory, '--foreground'];
    const mounted = new Mounted(directory, spawn(program, rest, { env: place.environment(env), cwd: place.directory }));
    await until(`the mount at ${directory}`, () => {
      if (mounted.child.exitCode !== null) throw new Error(`the mount failed: ${mounted.text}`);
      return mounted.text.includes('Mounted ');
    });
    return mounted;
  }

  /** Exit status when it is gone, or the signal that ended it. */
  async exit(): Promise<number | NodeJS.Signals | null> {
    await this.ended;
    return this.child.exitCode ?? this.child.signalCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL');
      await this.ended;
    }
    if (isMounted(this.directory)) execFileSync('umount', ['-l', this.directory]);
  }
}
