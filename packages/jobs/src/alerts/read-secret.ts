import { readFile } from 'node:fs/promises';

import { CairnError, systemErrorCode } from '@cairn/core';

/** Bytes of a password or of a secret. */
const SECRET_BYTES = 4_096;

/** What a file holds, without the line break at its end. Rejects with `USAGE` when it cannot be read, is empty or too long. */
export async function readSecret(path: string, what: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new CairnError('USAGE', `cannot read the ${what} in ${path}: ${systemErrorCode(cause) ?? 'failed'}`, {
      hint: 'Check the path and its permissions.',
      cause,
    });
  }
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  if (text !== '' && bytes.length <= SECRET_BYTES && !/[\r\n\0]/.test(text)) return text;
  throw new CairnError('USAGE', `${path} holds no ${what}`, { hint: 'It must hold that alone, on one line.' });
}
