import { CairnError } from '../errors.ts';
import type { Random } from '../ports/environment.ts';
import { encodeBase32, inGroups } from './base32.ts';

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
