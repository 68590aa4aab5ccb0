import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';

import { CairnError } from '@cairn/core';

import { programVariables, type DumpContext } from './dump-context.ts';

/** Directories that hold programs of servers, and that the PATH of a user or of a timer often lacks. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** A program that dumps or restores, as a call of it begins. */
export interface Program {
  /** As messages name it. */
  readonly name: string;
  readonly path: string;
}

/** The first of the programs that is installed, or undefined. */
export async function findProgram(
  { variables }: Pick<DumpContext, 'variables'>,
  names: readonly string[],
): Promise<Program | undefined> {
  const directories = [...(programVariables(variables)['PATH'] ?? '').split(':'), ...SYSTEM_DIRECTORIES];
  for (const name of names) {
    for (const directory of directories.filter((one) => one.startsWith('/'))) {
      const path = join(directory, name);
      if (await isExecutable(path)) return { name, path };
    }
  }
  return undefined;
}

/** The first of the programs that is installed. Rejects with `HOST_UNSUPPORTED` when none is. */
export async function requireProgram(
  context: Pick<DumpContext, 'variables'>,
  names: readonly string[],
  debianPackage: string,
): Promise<Program> {
  const found = await findProgram(context, names);
  if (found !== undefined) return found;
  throw new CairnError('HOST_UNSUPPORTED', `${names.join(' or ')} is not installed`, {
    hint: `Install it; the package of Debian and Ubuntu is ${debianPackage}.`,
  });
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    // Whatever the reason is, it cannot be run.
    return false;
  }
}
