import { CairnError } from '@cairn/core';
import { execFileSync } from 'node:child_process';

/**
 * The number of a user or group that was given as number or name; names are looked up as the system does. Rejects with `USAGE`
 * when there is none.
 */
export function ownerId(text: string, kind: 'passwd' | 'group'): number {
  if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return Number(text);
  try {
    // The third field of passwd(5) and group(5). `getent` also knows users of LDAP.
    const line = execFileSync('getent', [kind, '--', text], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(line.split(':')[2]);
  } catch (cause) {
    const what = kind === 'passwd' ? 'user' : 'group';
    throw new CairnError('USAGE', `there is no ${what} ${JSON.stringify(text)}`, {
      hint: 'Give a number, or a name that this machine knows.',
      cause,
    });
  }
}

/** Permissions as octal digits. Rejects with `USAGE`. */
export function permissions(text: string): number {
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  throw new CairnError('USAGE', `${JSON.stringify(text)} is no umask`, { hint: 'Write it in octal, as in 027.' });
}
