import { CairnError } from '../errors.ts';
import { decodeBase32, encodeBase32, inGroups, normaliseBase32 } from './base32.ts';

const FINGERPRINT_BYTES = 10;

/** A fingerprint for people: `XXXX-XXXX-XXXX-XXXX`. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  return inGroups(encodeBase32(fingerprint), 4);
}

/** Reads what `formatFingerprint` writes, in any case and grouping. Rejects with `USAGE` when it is no fingerprint. */
export function parseFingerprint(text: string): Uint8Array {
  const bytes = decodeBase32(normaliseBase32(text));
  if (bytes === undefined || bytes.length !== FINGERPRINT_BYTES) {
    throw new CairnError('USAGE', `not a fingerprint: ${JSON.stringify(text)}`, {
      hint: 'A fingerprint is 16 letters and digits, XXXX-XXXX-XXXX-XXXX.',
    });
  }
  return bytes;
}
