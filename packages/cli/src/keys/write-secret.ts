import { createSecretFile } from '@cairn/core';

import type { Context } from '../context.ts';

/** The name that stands for standard output. */
const STDOUT = '-';

/**
 * Writes a text that holds a key to a new file, mode 0600, or to standard output when no file or `-` is named. Rejects with
 * `TARGET_EXISTS` and `TARGET_FAILED`.
 */
export async function writeSecret(context: Context, file: string | undefined, text: string): Promise<void> {
  if (file === undefined || file === STDOUT) {
    await context.output.bytes(Buffer.from(text));
    return;
  }
  await createSecretFile(file, Buffer.from(text), () => undefined);
  context.messages.info(`Written to ${file}, readable for you only.`);
}
