import { CairnError, systemErrorCode } from '@cairn/core';
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

import type { Context } from '../context.ts';

/** What systemctl says is no result of the command. */
const STDERR = 2;

/** Which units are meant. */
export interface UnitPlace {
  readonly user?: boolean;
  readonly unitDirectory?: string;
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
