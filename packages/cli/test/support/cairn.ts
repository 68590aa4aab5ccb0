import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The command as it is shipped. `npm run build` makes it. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Attempts to remove a directory after the first, and milliseconds between two. */
const REMOVALS = 20;
const REMOVAL_PAUSE_MS = 100;

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  /** What to run it with, before `node`: as another user, for example. */
  readonly prefix?: readonly string[];
}

/** A directory of its own with a home, so that no test meets settings of the machine or of another test. */
export class Workplace {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'cairn-cli-')));

  constructor() {
    mkdirSync(this.path('home'));
  }

  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  /** Writes a file, with the directories on the way to it. */
  file(name: string, content: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { PATH = '' } = process.env;
    return { PATH, HOME: this.path('home'), LANG: 'C.UTF-8', TZ: 'UTC', ...more };
  }

  cairn(args: readonly string[], { env, input, cwd, prefix = [] }: RunOptions = {}): Outcome {
    const [program = '', ...rest] = [...prefix, process.execPath, MAIN, ...args];
    const { status, stdout, stderr } = spawnSync(program, rest, {
      env: this.environment(env),
      cwd: cwd ?? this.directory,
      encoding: 'utf8',
      input: input ?? '',
      maxBuffer: 64 * 1024 * 1024,
    });
    return { status, stdout, stderr };
  }

  /** As `cairn`, for commands that must succeed; gives what they print. */
  good(args: readonly string[], options: RunOptions = {}): string {
    const { status, stdout, stderr } = this.cairn(args, options);
    if (status !== 0) throw new Error(`cairn ${args.join(' ')} exited with ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  json<T = Record<string, unknown>>(args: readonly string[], options: RunOptions = {}): T {
    return JSON.parse(this.good([...args, '--json'], options)) as T;
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn(process.execPath, [MAIN, ...args], { env: this.environment(env), cwd: this.directory });
  }

  /** A program in the background that ends at this moment may still write something: then what is left is removed again. */
  remove(): void {
    for (let left = REMOVALS; ; left--) {
      try {
        rmSync(this.directory, { recursive: true, force: true });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' || left === 0) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, REMOVAL_PAUSE_MS);
      }
    }
  }
}
