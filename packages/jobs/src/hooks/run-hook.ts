import { CairnError, ProcessGroup, systemErrorCode } from '@cairn/core';
import { spawn, type ChildProcess } from 'node:child_process';

import type { HookDefinition } from '../job-file/hook-schema.ts';
import { LineSplitter } from './line-splitter.ts';

/** Milliseconds that a hook may take unless it says otherwise. */
const HOOK_TIME_MS = 3_600_000;
/** Milliseconds that are waited for the last output of a hook that has ended: something that it left behind may hold it open. */
const LAST_OUTPUT_MS = 1_000;

export interface HookRun {
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the hook, and all that it started. */
  readonly signal?: AbortSignal;
  /** Hears each line that it writes. */
  readonly onLine: (line: string) => void;
}

/**
 * Runs a hook to its end, in a process group of its own: its time over, SIGTERM goes to all of it, and SIGKILL 5 seconds later.
 * Rejects with `STEP_FAILED` when it ends with another status than 0, `TIME_OVER` when it took too long, `HOST_UNSUPPORTED`
 * when it cannot be run, and `CANCELLED` when the signal fired. Its arguments are not told: they may hold secrets.
 */
export async function runHook(
  { command, 'time-limit': limit = HOOK_TIME_MS }: HookDefinition,
  run: HookRun,
): Promise<void> {
  const [program = '', ...args] = command;
  const { signal } = run;
  const isStopped = (): boolean => signal?.aborted === true;
  if (isStopped()) throw stopped(program);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: run.env, cwd: '/' });
  const group = new ProcessGroup(child);
  let isLate = false;
  const onTime = (): void => {
    isLate = true;
    group.end();
  };
  const onAbort = (): void => group.end();
  const timer = setTimeout(onTime, limit);
  signal?.addEventListener('abort', onAbort);
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const lines = new LineSplitter(run.onLine);
    stream.on('data', (piece: Buffer) => lines.add(piece));
    return { stream, lines };
  });
  try {
    const failure = await endOf(child, program);
    await lastOutput(child);
    for (const { stream, lines } of outputs) {
      stream.destroy();
      lines.finish();
    }
    if (isLate)
      throw new CairnError('TIME_OVER', `${program} took longer than ${limit / 1000} s and was ended`, {
        hint: 'Give the hook more time with `time-limit`, or find out what it waits for.',
      });
    if (isStopped()) throw stopped(program);
    if (failure !== undefined) throw failure;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    group.release();
  }
}

function endOf(child: ChildProcess, program: string): Promise<CairnError | undefined> {
  return new Promise((resolve) => {
    child.on('error', (cause) => {
      const reason = systemErrorCode(cause) ?? cause.message;
      const hint = 'Check its path and permissions; a hook is run without a shell.';
      resolve(new CairnError('HOST_UNSUPPORTED', `${program} could not be run: ${reason}`, { hint, cause }));
    });
    child.on('exit', (status, by) => {
      const how = status === null ? `was ended by ${by}` : `ended with status ${status}`;
      const hint = 'What it wrote is in the record of the run.';
      resolve(status === 0 ? undefined : new CairnError('STEP_FAILED', `${program} ${how}`, { hint }));
    });
  });
}

function lastOutput(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_OUTPUT_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    const open = [child.stdout, child.stderr].filter((stream) => stream?.closed === false);
    if (child.pid === undefined || open.length === 0) done();
    else child.once('close', done);
  });
}

function stopped(program: string): CairnError {
  return new CairnError('CANCELLED', `${program} was ended because the run was stopped`);
}
