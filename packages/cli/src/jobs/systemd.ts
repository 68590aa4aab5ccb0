import { CairnError, systemErrorCode } from '@cairn/core';
import { DAEMON_UNIT, unitNames } from '@cairn/jobs';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import type { Context } from '../context.ts';

/** What systemctl says is no result of the command. */
const STDERR = 2;

/** Which units are meant. */
export interface UnitPlace {
  readonly user?: boolean;
  readonly unitDirectory?: string;
  readonly daemon?: boolean;
}

/** What is installed: the service and the timer of a job, or the service of the daemon. */
export interface MeantUnits {
  /** Undefined for the daemon. */
  readonly job: string | undefined;
  /** What is switched on and off. */
  readonly main: string;
  readonly names: readonly string[];
}

/** The units that an operand and options mean. Rejects with `USAGE` unless it is either a job or the daemon. */
export function meantUnits(job: string | undefined, { daemon }: UnitPlace): MeantUnits {
  if ((job === undefined) !== (daemon === true)) {
    throw new CairnError('USAGE', 'either the name of a job is needed, or --daemon', {
      hint: 'See which jobs there are with `cairn job list`. --daemon is for all of them.',
    });
  }
  if (job === undefined) return { job, main: DAEMON_UNIT, names: [DAEMON_UNIT] };
  const { service, timer } = unitNames(job);
  return { job, main: timer, names: [timer, service] };
}

/** Names of what is in a directory of units; none when there is no such directory. Rejects with `TARGET_FAILED`. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code === 'ENOENT') return [];
    throw new CairnError('TARGET_FAILED', `cannot look into ${directory}: ${code ?? String(cause)}`, {
      hint: 'Run it as root, or with --user for units of your own account.',
      cause,
    });
  }
}

/** Where units are (systemd.unit(5)). */
export function unitDirectory(
  { variables }: Pick<Context, 'variables'>,
  { user, unitDirectory: given }: UnitPlace,
): string {
  if (given !== undefined) return resolve(given);
  if (user !== true) return '/etc/systemd/system';
  const home = variables['HOME'] || homedir();
  return join(
    variables['XDG_CONFIG_HOME']?.startsWith('/') === true ? variables['XDG_CONFIG_HOME'] : join(home, '.config'),
    'systemd/user',
  );
}

/**
 * Runs systemctl. Rejects with `HOST_UNSUPPORTED` when it is not there or fails; it says itself why.
 * @param hint how it goes without.
 */
export async function systemctl({ user }: UnitPlace, args: readonly string[], hint: string): Promise<void> {
  const words = [...(user === true ? ['--user'] : []), ...args];
  const how = await new Promise<string | undefined>((done) => {
    const child = spawn('systemctl', words, { stdio: ['ignore', STDERR, 'inherit'] });
    child.on('error', (error) => done(`could not be run: ${systemErrorCode(error) ?? error.message}`));
    child.on('exit', (status) => done(status === 0 ? undefined : `ended with status ${String(status)}`));
  });
  if (how === undefined) return;
  throw new CairnError('HOST_UNSUPPORTED', `systemctl ${words.join(' ')} ${how}`, { hint });
}
