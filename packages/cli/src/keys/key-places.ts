import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import type { Context } from '../context.ts';
import { configHome } from '../settings/resolve.ts';

/** Where the key file of a repository is looked for when none is named. */
export function defaultKeyFile({ variables }: Pick<Context, 'variables'>, repository: string): string {
  return join(configHome(variables), 'keys', `${repository}.key`);
}

/** Makes the directory of a key file at its default place. Rejects with a system error. */
export async function makeKeyDirectory(keyFile: string): Promise<void> {
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
}
