import { CairnError } from '@cairn/core';
import { spawn, spawnSync } from 'node:child_process';
import { geteuid } from 'node:process';

import { holdersOf, type Holder } from './holders.ts';

/** Holders that an error names. */
const SHOWN_HOLDERS = 5;

/** The command that unmounts: root may do it, others only what they mounted, through the helper of FUSE. */
function unmountCommand(directory: string, lazy: boolean): readonly [string, ...string[]] {
  if (geteuid?.() === 0) return ['umount', '-i', ...(lazy ? ['-l'] : []), '--', directory];
  return ['fusermount3', '-u', ...(lazy ? ['-z'] : []), '--', directory];
}

/**
 * Unmounts what is at `directory`. Rejects with `MOUNT_BUSY`, naming who holds it, with `MOUNT_FAILED` for any other reason.
 * @param options.lazy takes it out of sight at once; it ends when the last one who holds it is done.
 */
export async function unmountDirectory(directory: string, options: { readonly lazy?: boolean } = {}): Promise<void> {
  const [command, ...args] = unmountCommand(directory, options.lazy === true);
  const { status, text } = await run(command, args);
  if (status === 0) return;
  const holders = holdersOf(directory);
  if (holders.length > 0 || /busy/i.test(text)) throw busy(directory, holders);
  throw new CairnError('MOUNT_FAILED', `${directory} could not be unmounted: ${text.trim() || `${command} failed`}`);
}

/** Takes a mount out of sight without waiting for anything: for the end of the process. */
export function detachDirectory(directory: string): void {
  const [command, ...args] = unmountCommand(directory, true);
  spawnSync(command, args, { stdio: 'ignore' });
}

function busy(directory: string, holders: readonly Holder[]): CairnError {
  const shown = holders.slice(0, SHOWN_HOLDERS).map(({ pid, command, path }) => `${command} (${pid}) has ${path}`);
  const more = holders.length > shown.length ? `, and ${holders.length - shown.length} more` : '';
  const who = shown.length === 0 ? 'a process that cannot be seen from here' : `${shown.join(', ')}${more}`;
  return new CairnError('MOUNT_BUSY', `${directory} is in use: ${who}`, {
    hint: 'Let these programs end, or add --lazy: it goes out of sight at once, and what is open stays readable.',
  });
}

/** Runs a command of the system without a shell, with messages in English. */
export function run(
  command: string,
  args: readonly string[],
  stdio: readonly (number | 'ignore')[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number | null; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', ...stdio],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...env },
    });
    let text = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => (text += part));
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') return reject(error);
      reject(
        new CairnError('HOST_UNSUPPORTED', `${command} is not installed`, {
          hint:
            command === 'fusermount3'
              ? 'Install the package fuse3, or run this as root.'
              : 'Install the package mount.',
        }),
      );
    });
    child.on('close', (status) => resolve({ status, text }));
  });
}
