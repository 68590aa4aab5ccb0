import {
  CairnError,
  encodeKeyFileText,
  isCairnError,
  nodeSuite,
  parseKeyFileText,
  type ErrorReport,
  type KeyFile,
} from '@cairn/core';
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

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

interface Handover {
  /** The key as a key file's text. */
  readonly key: string;
}

/** True in the process that was started to stay in the background. */
export function isHandedOver(variables: Readonly<Record<string, string | undefined>>): boolean {
  return variables[VARIABLE] === '1' && process.send !== undefined;
}

/** The key from the process that started this one. Rejects with `CANCELLED` when that one is gone. */
export async function receiveKey(): Promise<KeyFile> {
  const { key } = await new Promise<Handover>((resolve, reject) => {
    process.once('message', (message) => resolve(message as Handover));
    process.once('disconnect', () => reject(new CairnError('CANCELLED', 'the command that started the mount is gone')));
  });
  return parseKeyFileText(nodeSuite, key);
}

/** Tells the process that started this one how it went, and lets it go. */
export async function report(outcome: MountOutcome): Promise<void> {
  await new Promise<void>((resolve) => process.send?.(outcome, undefined, undefined, () => resolve()));
  process.disconnect();
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
 * channel that nobody else sees, and waits until it is mounted. Rejects with what it failed with.
 */
export async function mountInBackground(key: KeyFile, logFile: string): Promise<MountedReport> {
  const log = openSync(logFile, 'a', 0o600);
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
