import { CairnError } from '../errors.ts';
import type { Random } from '../ports/environment.ts';
import { encodeBase32, inGroups } from './base32.ts';
import { wipe } from './wipe.ts';

/** Groups of 5 characters of a generated passphrase: 100 random bits, out of reach even without argon2id. */
const GROUPS = 4;
const GROUP = 5;

/**
 * A typed passphrase as bytes: UTF-8 in normal form C, so that it is the same on every keyboard (Unicode Standard Annex
 * 15). Nothing is trimmed. The caller wipes it. Rejects with `USAGE` when it is empty or not well-formed.
 */
export function passphraseBytes(text: string): Buffer {
  if (text === '') {
    throw new CairnError('USAGE', 'the passphrase is empty', { hint: 'Choose one of several words, or generate one.' });
  }
  if (/\p{Cs}/u.test(text)) throw new CairnError('USAGE', 'the passphrase has a broken character in it');
  return Buffer.from(text.normalize('NFC'));
}

/**
 * A passphrase as a file or a program gives it: UTF-8, and all of it but one line end. Wipes what it is given; the caller wipes the
 * rest. `name` is what messages call it: they never have anything of the passphrase. Rejects with `USAGE` as `passphraseBytes`, and
 * for what is no UTF-8.
 */
export function passphraseOf(bytes: Uint8Array, name: string): Buffer {
  try {
    const text = decode(bytes, name).replace(/\r?\n$/, '');
    if (text !== '') return passphraseBytes(text);
    throw new CairnError('USAGE', `${name} is empty`, { hint: 'It must be the passphrase alone, on one line.' });
  } finally {
    wipe(bytes);
  }
}

function decode(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CairnError('USAGE', `${name} is not UTF-8 text`, { hint: 'Check that it is the right one.', cause });
  }
}

/** A random passphrase of 100 bits, small letters and digits: `abcde-fghij-klmno-pqrst`. */
export function generatePassphrase(random: Random): string {
  const bytes = random.bytes(Math.ceil((GROUPS * GROUP * 5) / 8));
  return inGroups(
    encodeBase32(bytes)
      .slice(0, GROUPS * GROUP)
      .toLowerCase(),
    GROUP,
  );
}
