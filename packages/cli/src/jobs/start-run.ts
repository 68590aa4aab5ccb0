import { ERROR_TABLE, systemErrorCode } from '@cairn/core';
import type { RunTrigger } from '@cairn/jobs';
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Exit status of a process that a signal ended, as shells count. */
const SIGNALLED = 128;

/**
 * Runs a job in a process of its own, so that what goes wrong in one job is no other's. Gives its exit status. When the signal fires it
 * is asked to end cleanly, and waited for.
 */
export async function startRun(request: {
  readonly directory: string;
  readonly job: string;
  readonly trigger: RunTrigger;
  readonly signal: AbortSignal;
  readonly json: boolean;
  /** Hears why no process could be started: when the machine has no more of them, it may have some later. */
  readonly onFailure: (text: string) => void;
}): Promise<number> {
  const { directory, job, trigger, signal, json, onFailure } = request;
  const args = ['run', job, '--trigger', trigger, '--jobs-directory', directory, ...(json ? ['--json'] : [])];
  // A group of its own: Ctrl-C reaches it once, through this process.
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  });
  const stop = (): void => {
    child.kill('SIGTERM');
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await new Promise((resolve) => {
      child.on('error', (error) => {
        onFailure(`${job} could not be started: ${systemErrorCode(error) ?? error.message}`);
        resolve(ERROR_TABLE.HOST_UNSUPPORTED.exit);
      });
      child.on('exit', (status, by) => resolve(status ?? SIGNALLED + (by === null ? 0 : constants.signals[by])));
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
