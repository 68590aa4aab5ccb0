import { CairnError, readAllOf } from '@cairn/core';

/** Bytes of a password or of a secret. */
const SECRET_BYTES = 4_096;

/** What a file holds, without the line break at its end. Rejects with `USAGE` when it cannot be read, is empty or too long. */
export async function readSecret(path: string, what: string): Promise<string> {
  const bytes = await readAllOf(path, { name: `the ${what} in ${path}`, most: SECRET_BYTES });
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  bytes.fill(0);
  if (text !== '' && !/[\r\n\0]/.test(text)) return text;
  throw new CairnError('USAGE', `${path} holds no ${what}`, { hint: 'It must hold that alone, on one line.' });
}
