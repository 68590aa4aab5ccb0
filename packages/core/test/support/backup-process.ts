import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { BackupProgress, Problem } from '../../dist/index.js';

const PROGRAM = fileURLToPath(new URL('./backup-process.mjs', import.meta.url));

export interface BackupProcessOptions {
  readonly store: string;
  /** A key file. */
  readonly key: string;
  readonly paths: readonly string[];
  readonly series?: string;
  readonly threads?: number;
  readonly dryRun?: boolean;
  /** Seconds that its clock is ahead; 60 unless given. */
  readonly ahead?: number;
  /** It kills itself right after it has put an object of that kind. */
  readonly dieAfter?: 'packs' | 'index' | 'log';
}

/** What it says at its end; `error` is a code. */
export interface BackupProcessResult {
  readonly error?: string;
  readonly name: string;
  readonly complete: boolean;
  readonly warnings: readonly (readonly [kind: string, count: number])[];
  readonly progress: BackupProgress;
  readonly problems: readonly Problem[];
  readonly parent?: string;
}

export interface BackupProcessControl {
  /** A program and its arguments that run the process, `setpriv` for instance. */
  readonly through?: readonly string[];
  /** Ends it without warning after so many milliseconds. */
  readonly killAfterMs?: number;
}

/** Runs a backup in a process of its own; undefined when it was killed. Rejects when it ends in any other way. */
export function backupProcess(
  options: BackupProcessOptions,
  { through = [], killAfterMs }: BackupProcessControl = {},
): Promise<BackupProcessResult | undefined> {
  const command = [...through, process.execPath, PROGRAM, JSON.stringify({ ahead: 60, ...options })];
  return new Promise((resolve, reject) => {
    const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
    const kill = (): void => void child.kill('SIGKILL');
    const timer = killAfterMs === undefined ? undefined : setTimeout(kill, killAfterMs);
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (signal === 'SIGKILL') resolve(undefined);
      else if (code === 0) resolve(JSON.parse(output) as BackupProcessResult);
      else reject(new Error(`the process ended with ${code ?? signal}: ${errors}`));
    });
  });
}
