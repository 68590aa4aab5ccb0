import { mountAt } from '@cairn/core';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * A directory as the table of mounts names it: absolute, and without links on the way. A mount that is there is not asked: it may be
 * dead. What does not exist is given as it was named.
 */
export function mountPlace(text: string): string {
  const path = resolve(text);
  const inParent = join(real(dirname(path)), basename(path));
  return mountAt(inParent) === undefined ? real(inParent) : inParent;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
