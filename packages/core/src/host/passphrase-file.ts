import { passphraseOf } from '../keys/passphrase.ts';
import { LIMITS } from '../limits.ts';
import { readAllOf } from './read-all.ts';

/**
 * The passphrase in a file: all that it has but one line end; a pipe will do. The caller wipes it. Rejects with `USAGE` when the file
 * cannot be read, is too long, is empty or no text, and with `CANCELLED`. Messages never have anything of it.
 */
export async function readPassphraseFile(path: string, signal?: AbortSignal): Promise<Buffer> {
  const name = `the passphrase file ${path}`;
  const what = { name, most: LIMITS.passphraseBytes, ...(signal === undefined ? {} : { signal }) };
  return passphraseOf(await readAllOf(path, what), name);
}
