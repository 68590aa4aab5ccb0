import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';

import { systemErrorCode } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { Random } from '../ports/environment.ts';

/**
 * A name in `parent` for a directory that this process makes and removes: `PREFIX-PID-RANDOM`. Directories of processes that died
 * before they could are removed.
 */
export async function nameOwnDirectory(parent: string, prefix: string, random: Random): Promise<string> {
  const pattern = new RegExp(`^${prefix}-(\\d+)-[0-9a-f]{12}$`);
  for (const name of await namesIn(parent)) {
    const pid = Number(pattern.exec(name)?.[1] ?? 0);
    if (pid === 0 || isRunning(pid)) continue;
    // Another one may remove it at the same time.
    await rm(path.join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
  return path.join(parent, `${prefix}-${process.pid}-${toHex(random.bytes(6))}`);
}

async function namesIn(parent: string): Promise<string[]> {
  try {
    return await readdir(parent);
  } catch {
    // Whoever makes a directory in there hears what is wrong with it.
    return [];
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is somebody else's.
    return systemErrorCode(error) !== 'ESRCH';
  }
}
