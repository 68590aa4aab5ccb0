import {
  CairnError,
  encodeKeyFileText,
  isCairnError,
  nodeSuite,
  parseKeyFileText,
  systemErrorCode,
  type ErrorReport,
  type KeyFile,
} from '@cairn/core';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

import { throwIfStopped } from '../signals.ts';

/** Set for the process that stays in the background, by the one that started it. Says only that: the key comes another way. */
const VARIABLE = 'CAIRN_MOUNT_HANDOVER';

/** What the process in the background says once it knows whether it is mounted. */
export type MountOutcome = { readonly mounted: MountedReport } | { readonly error: ErrorReport };

/** What `cairn mount` prints as JSON. */
export interface MountedReport {
  readonly directory: string;
  /** Absent when the whole repository is mounted. */
  readonly archive?: string;
  readonly archive_id?: string;
  readonly pid: number;
}

/** Rejects with `TARGET_FAILED` when the file cannot be written. */
function openLog(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (cause) {
    const code = systemErrorCode(cause) ?? 'unknown error';
    throw new CairnError('TARGET_FAILED', `the log file ${path} cannot be written: ${code}`, {
      hint: 'Name another one with --log-file.',
      cause,
    });
  }
}

interface Handover {
  /** The key as a key file's text. */
  readonly key: string;
}

/** True in the process that was started to stay in the background. */
export function isHandedOver(variables: Readonly<Record<string, string | undefined>>): boolean {
  return variables[VARIABLE] === '1' && process.send !== undefined;
}

/**
 * The key from the process that started this one. Rejects with `CANCELLED` when that one is gone. When it goes later, before it was
 * told of a mount, this one is stopped as by a signal.
 */
export async function receiveKey(): Promise<KeyFile> {
  const { key } = await new Promise<Handover>((resolve, reject) => {
    const gone = (): void => reject(new CairnError('CANCELLED', 'the command that started the mount is gone'));
    process.once('message', (message) => resolve(message as Handover));
    if (process.connected) process.once('disconnect', gone);
    else gone();
  });
  process.once('disconnect', stop);
  return parseKeyFileText(nodeSuite, key);
}

function stop(): void {
  process.kill(process.pid, 'SIGTERM');
}

/** Tells the process that started this one how it went, and lets it go. */
export async function report(outcome: MountOutcome): Promise<void> {
  if (!process.connected) return;
  process.off('disconnect', stop);
  await new Promise<void>((resolve) => process.send?.(outcome, undefined, undefined, () => resolve()));
  if (process.connected) process.disconnect();
}

/** The report of an error that ends the process in the background. */
export function outcomeOf(error: unknown): MountOutcome {
  const known = isCairnError(error)
    ? error
    : new CairnError('INTERNAL', error instanceof Error ? error.message : String(error));
  return { error: known.toJSON() };
}

/**
 * Starts this very command again, to stay in the background with its messages going to `logFile`; gives it the key through a
 * channel that nobody else sees, and waits until it is mounted. Rejects with what it failed with, and with `CANCELLED` when `signal`
 * fires: then nothing stays mounted.
 */
export async function mountInBackground(key: KeyFile, logFile: string, signal: AbortSignal): Promise<MountedReport> {
  throwIfStopped(signal);
  const log = openLog(logFile);
  const [program = '', ...args] = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn(program, args, {
    // `/` keeps no file system busy. Relative paths of the command line were resolved by the caller.
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    env: { ...process.env, [VARIABLE]: '1' },
  });
  closeSync(log);
  try {
    const outcome = await new Promise<MountOutcome>((resolve, reject) => {
      child.on('message', (message) => resolve(message as MountOutcome));
      child.on('error', reject);
      // That process notices that this one lets it go.
      signal.addEventListener('abort', () =>
        reject(new CairnError('CANCELLED', 'the command was stopped before it was mounted')),
      );
      child.on('exit', (status) => {
        reject(new CairnError('MOUNT_FAILED', `the mount ended with status ${status}`, { hint: `See ${logFile}.` }));
      });
      const { capabilities, label, createdNs } = key;
      const text = encodeKeyFileText(nodeSuite, capabilities, { label, createdNs });
      child.send({ key: text } satisfies Handover);
    });
    if ('mounted' in outcome) return outcome.mounted;
    const { code, message, hint, details } = outcome.error;
    throw new CairnError(code, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
    });
  } finally {
    child.removeAllListeners();
    if (child.connected) child.disconnect();
    child.unref();
  }
}
