import { systemErrorCode } from '@cairn/core';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { setPriority } from 'node:os';

import type { LimitsDefinition } from '../job-file/limits-schema.ts';

/** Arguments of ionice(1): the class, and the lowest level where it has levels. */
const IO_CLASS: Readonly<Record<NonNullable<LimitsDefinition['ionice']>, readonly string[]>> = {
  idle: ['-c', '3'],
  'best-effort': ['-c', '2', '-n', '7'],
};

/**
 * Lowers the priority of this process: of all its threads, since Linux counts it for each, and so of those that they start. Gives what
 * could not be set; a run goes on without.
 */
export async function lowerPriority({ nice, ionice }: Pick<LimitsDefinition, 'nice' | 'ionice'>): Promise<string[]> {
  if (nice === undefined && ionice === undefined) return [];
  const threads = (await readdir('/proc/self/task')).map(Number);
  const warnings: string[] = [];
  if (nice !== undefined) {
    for (const thread of threads) {
      try {
        setPriority(thread, nice);
      } catch (error) {
        // A thread may have ended since.
        if (systemErrorCode(error) !== 'ERR_SYSTEM_ERROR' || thread === process.pid)
          warnings.push(`nice ${nice} could not be set`);
      }
    }
  }
  if (ionice !== undefined && !(await setIoClass(IO_CLASS[ionice], threads))) {
    warnings.push(`the input and output class ${ionice} could not be set: ionice, of the package util-linux, failed`);
  }
  return warnings;
}

function setIoClass(words: readonly string[], threads: readonly number[]): Promise<boolean> {
  return new Promise((resolve) => {
    // `-t`: a thread that has ended since is no failure.
    const child = spawn('ionice', ['-t', ...words, '-p', ...threads.map(String)], { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('exit', (status) => resolve(status === 0));
  });
}
