import { spawn, type ChildProcess } from 'node:child_process';

import { CairnError, systemErrorCode } from '../errors.ts';
import type { ContentSource } from '../ports/content-source.ts';
import { ProcessGroup } from './process-group.ts';
import { pathBytes, type PathInput } from './resolve-source.ts';

/** A file of an archive whose content a command prints. */
export interface CommandContent extends Omit<ContentSource, 'path' | 'open' | 'repeatable'> {
  readonly path: PathInput;
  /** The program and its arguments, run as they are: no shell. */
  readonly command: readonly string[];
  /** All of its environment; that of this process unless given. Secrets belong here or in files, never in `command`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** Milliseconds after which it counts as failed and is ended. Unless given it may take as long as it likes. */
  readonly timeoutMs?: number;
  /** Hears what it writes to standard error; unless given that goes where this process writes it. */
  readonly onStderr?: (bytes: Uint8Array) => void;
}

/** Milliseconds that are waited for the end of standard error. */
const LAST_WORDS_MS = 1_000;

/**
 * What a program prints, as a content. It counts only when the program ends with status 0; with any other end, a signal or the
 * timeout nothing is stored. The program is ended, with all that it started, when the run is stopped, and also when this process
 * is killed. Rejects with `USAGE` when there is no program.
 */
export function commandContent(options: CommandContent): ContentSource {
  const { path, command, env, workingDirectory, timeoutMs, onStderr, ...rest } = options;
  const [program, ...args] = command;
  if (program === undefined || program === '') {
    throw new CairnError('USAGE', 'no command is given whose output is to be stored', {
      hint: 'Write it after `--`, as in `cairn backup --content-from-command --content-name db.sql -- pg_dumpall`.',
    });
  }
  return {
    ...rest,
    path: pathBytes(path),
    open: (signal) => output({ program, args, env, workingDirectory, timeoutMs, onStderr }, signal),
  };
}

interface Program {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly workingDirectory: string | undefined;
  readonly timeoutMs: number | undefined;
  readonly onStderr: ((bytes: Uint8Array) => void) | undefined;
}

async function* output(program: Program, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { timeoutMs, onStderr } = program;
  // A group of its own, so that what it starts can be ended with it.
  const child = spawn(program.program, program.args, {
    stdio: ['ignore', 'pipe', onStderr === undefined ? 'inherit' : 'pipe'],
    detached: true,
    ...(program.env === undefined ? {} : { env: program.env }),
    ...(program.workingDirectory === undefined ? {} : { cwd: program.workingDirectory }),
  });
  const group = new ProcessGroup(child);
  const end = endOf(child, program.program);
  if (onStderr !== undefined) child.stderr?.on('data', onStderr);
  let late = false;
  const onTimeout = (): void => {
    late = true;
    group.end();
  };
  const onAbort = (): void => group.end();
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
  signal.addEventListener('abort', onAbort);
  let ended = false;
  try {
    try {
      for await (const piece of child.stdout ?? []) yield piece as Uint8Array;
    } catch (error) {
      // A program that was ended breaks off its output; how it ended tells more.
      if (systemErrorCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    }
    const failure = await end;
    ended = true;
    if (onStderr !== undefined) await lastWords(child);
    if (late) throw new Error(`${program.program} took longer than ${(timeoutMs ?? 0) / 1000} s and was ended`);
    if (failure !== undefined) throw new Error(failure);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    if (!ended) group.end();
    group.release();
  }
}

/** Waits for the end of standard error, which may come after that of the program; not long, for something it left behind may hold it. */
function lastWords({ stderr }: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (stderr === null || stderr.readableEnded || stderr.destroyed) {
      resolve();
      return;
    }
    const timer = setTimeout(resolve, LAST_WORDS_MS);
    stderr.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Why it counts as failed; undefined when it ended with status 0. Its arguments are not told: they may hold secrets. */
function endOf(child: ChildProcess, program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.on('error', (error) => resolve(`${program} could not be run: ${systemErrorCode(error) ?? error.message}`));
    child.on('exit', (status, signal) => {
      if (status === 0) resolve(undefined);
      else resolve(`${program} ${status === null ? `was ended by ${signal}` : `ended with status ${status}`}`);
    });
  });
}
