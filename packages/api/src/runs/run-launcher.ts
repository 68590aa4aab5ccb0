import { CairnError, ERROR_TABLE, isCairnError, type Environment, type ErrorCode } from '@cairn/core';
import { newRunId, type RunRecord, type RunStore } from '@cairn/jobs';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

/** Milliseconds that a run has to begin: its process loads, reads its job and makes its record. */
const BEGIN_MS = 30_000;
/** Milliseconds between two looks whether it began. */
const LOOK_MS = 25;
/** Bytes of what the process says of itself that are read when it does not begin. */
const MOST_SAID = 16 * 1024;

/** What is to be run: a job of the jobs directory, or one that is written here. */
export type Launch = { readonly job: string } | { readonly toml: string };

export interface LauncherOptions {
  readonly runs: RunStore;
  readonly environment: Environment;
  /** How the cairn program is started, before its verb. */
  readonly command: readonly string[];
  readonly jobsDirectory: string;
  readonly stateDirectory: string;
  /** Environment variables of the process. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

/**
 * Starts runs, each in a process of its own that outlives this one: what it does is in its record, which anybody can follow. Nothing of
 * it is remembered here.
 */
export class RunLauncher {
  private readonly options: LauncherOptions;

  constructor(options: LauncherOptions) {
    this.options = options;
  }

  /**
   * Starts a run and gives it once its record is there. Rejects with `JOB_BUSY` when one of the job is under way, and with what the
   * process said when it ended before it began, as `USAGE` for a job file that is wrong.
   */
  async start(launch: Launch): Promise<RunRecord> {
    const id = newRunId(this.options.environment);
    const said = await UnnamedFile.make(this.options.stateDirectory, id);
    try {
      const child = this.spawn(launch, id, said.fd);
      return await this.begun(id, child, said);
    } finally {
      await said.close();
    }
  }

  /** Asks a run to end. Rejects with `NOT_FOUND`, and with `CONFLICT` for one that is over. */
  async cancel(id: string): Promise<RunRecord> {
    const { runs } = this.options;
    const run = await runs.get(id);
    // The claim says that the process lives; only then does its number mean it.
    if (run.status !== 'running' || !(await runs.isRunning(run.job, id))) {
      throw new CairnError('CONFLICT', `the run ${id} is over`, { hint: 'There is nothing to cancel.' });
    }
    process.kill(run.pid, 'SIGTERM');
    return run;
  }

  private spawn(launch: Launch, id: string, stderr: number): ChildProcess {
    const { command, jobsDirectory, stateDirectory, variables } = this.options;
    const [program = '', ...first] = command;
    const job = 'job' in launch ? launch.job : '-';
    const args = ['run', job, '--run-id', id, '--trigger', 'api', '--jobs-directory', jobsDirectory, '--json'];
    const child = spawn(program, [...first, ...args], {
      detached: true,
      // No pipe stays that could break when this process is gone.
      stdio: ['toml' in launch ? 'pipe' : 'ignore', 'ignore', stderr],
      env: { ...variables, CAIRN_STATE_DIRECTORY: stateDirectory },
    });
    // It may end before it has read all of it; that it ended is what counts.
    child.stdin?.on('error', () => undefined);
    if ('toml' in launch) child.stdin?.end(launch.toml);
    return child;
  }

  private async begun(id: string, child: ChildProcess, said: UnnamedFile): Promise<RunRecord> {
    const ended = new Promise<true>((resolve, reject) => {
      child.once('exit', () => resolve(true));
      child.once('error', (cause) => {
        reject(new CairnError('HOST_UNSUPPORTED', 'the cairn program cannot be started', { cause }));
      });
    });
    const { clock } = this.options.environment;
    const giveUpMs = clock.monotonicMs() + BEGIN_MS;
    for (;;) {
      // Looked at before the record is: a short run may be over, and its record there.
      const isOver = await Promise.race([ended, wait(LOOK_MS, false)]);
      const record = await this.find(id);
      if (record !== undefined) {
        child.unref();
        return record;
      }
      if (isOver) throw didNotBegin(await said.end());
      if (clock.monotonicMs() < giveUpMs) continue;
      child.kill('SIGTERM');
      throw new CairnError('TIME_OVER', 'the process of the run did not begin in time', {
        hint: 'The machine may be too busy. Try again later.',
      });
    }
  }

  private async find(id: string): Promise<RunRecord | undefined> {
    try {
      return await this.options.runs.get(id);
    } catch (error) {
      if (isCairnError(error, 'NOT_FOUND')) return undefined;
      throw error;
    }
  }
}

/** A file without a name, for what a process says: it holds whether or not anybody reads, and goes with the process. */
class UnnamedFile {
  readonly fd: number;
  private readonly file: FileHandle;

  private constructor(file: FileHandle) {
    this.file = file;
    this.fd = file.fd;
  }

  static async make(directory: string, name: string): Promise<UnnamedFile> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, `said-${name}`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return new UnnamedFile(file);
  }

  /** The last of it. */
  async end(): Promise<string> {
    const { size } = await this.file.stat();
    const bytes = Buffer.alloc(Math.min(size, MOST_SAID));
    await this.file.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8');
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** The error that the process ended with, as its JSON says. */
function didNotBegin(said: string): CairnError {
  const line = said.trimEnd().split('\n').at(-1) ?? '';
  try {
    const { code, message, hint, details } = JSON.parse(line) as Record<string, unknown>;
    if (typeof code === 'string' && code in ERROR_TABLE && typeof message === 'string') {
      return new CairnError(code as ErrorCode, message, {
        ...(typeof hint === 'string' ? { hint } : {}),
        ...(isFacts(details) ? { details } : {}),
      });
    }
  } catch {
    // It is no JSON: told as it is below.
  }
  return new CairnError('INTERNAL', 'the process of the run ended before it began', {
    hint: 'The log of the panel may say more.',
    cause: new Error(said),
  });
}

function isFacts(value: unknown): value is Readonly<Record<string, string | number | boolean>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
