import { CairnError, ERROR_TABLE, type ErrorReport } from '@cairn/core';
import { spawn } from 'node:child_process';

import type { PanelConfig, RepositoryConfig } from '../config/panel-file.ts';

/** Milliseconds that mounting or unmounting may take before the command is stopped. */
const COMMAND_MS = 120_000;
/** Bytes of what a command prints that are kept. */
const MOST_OUTPUT = 64 * 1024;

export type MountSettings = PanelConfig['mounts'];

/** What a mount is made of. */
export interface MountOrder {
  readonly repository: RepositoryConfig;
  /** Id of an archive; undefined: the whole repository. */
  readonly archive: string | undefined;
  readonly directory: string;
  readonly settings: MountSettings;
  /** Where the mount's process writes what happens to it. */
  readonly logFile: string;
}

/** Arguments of `cairn mount`. Files of secrets are named, never what is in them. */
export function mountArguments({ repository, archive, directory, settings, logFile }: MountOrder): string[] {
  const option = (name: string, value: string | number | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  return [
    'mount',
    '--json',
    ...option('repository', repository.address),
    ...option('key-file', repository['key-file']),
    ...option('passphrase-file', repository['passphrase-file']),
    ...option('credentials-file', repository['credentials-file']),
    ...option('uid', settings.uid),
    ...option('gid', settings.gid),
    ...option('umask', settings.umask),
    ...(settings['allow-other'] ? ['--allow-other'] : []),
    ...option('log-file', logFile),
    ...(archive === undefined ? ['--all'] : []),
    '--',
    ...(archive === undefined ? [] : [archive]),
    directory,
  ];
}

/**
 * Runs a command of the program that ends by itself, in a session of its own: what it leaves running outlives this process. Gives what it
 * printed. Rejects with the error that it reported, `MOUNT_FAILED` when it reported none or took too long.
 */
export async function runCairn(cairnCommand: readonly string[], args: readonly string[]): Promise<string> {
  const [program = '', ...before] = cairnCommand;
  const child = spawn(program, [...before, ...args], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, cwd: '/' });
  let printed = '';
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (printed = `${printed}${part}`.slice(-MOST_OUTPUT)));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said = `${said}${part}`.slice(-MOST_OUTPUT)));
  const verb = args[0] ?? '';
  let isLate = false;
  const status = await new Promise<number | null>((resolve, reject) => {
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, COMMAND_MS);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new CairnError('HOST_UNSUPPORTED', `${program} cannot be run: ${cause.message}`, { cause }));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
  if (status === 0) return printed;
  const reported = isLate ? undefined : errorIn(said);
  if (reported !== undefined) throw reported;
  const how = isLate ? `gave no answer within ${COMMAND_MS / 1000} s` : `ended with status ${status}: ${said.trim()}`;
  throw new CairnError('MOUNT_FAILED', `cairn ${verb} ${how}`);
}

/** The error that a command with `--json` prints as the last line of standard error. */
function errorIn(text: string): CairnError | undefined {
  let report: Partial<ErrorReport>;
  try {
    report = JSON.parse(text.trim().split('\n').at(-1) ?? '') as Partial<ErrorReport>;
  } catch {
    return undefined;
  }
  const { code, message, hint } = report;
  if (code === undefined || !(code in ERROR_TABLE) || message === undefined) return undefined;
  return new CairnError(code, message, hint === undefined ? {} : { hint });
}
