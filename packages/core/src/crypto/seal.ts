import { CairnError } from '../errors.ts';
import type { CryptoSuite, SecretKey } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';

const NONCE_BYTES = 12;

/** Bytes that `seal` adds: nonce and tag. */
export const SEAL_BYTES = NONCE_BYTES + 16;

/** `seal` of the format page: nonce ‖ AES-256-GCM, the nonce random. */
export function seal(
  suite: CryptoSuite,
  random: Random,
  key: SecretKey,
  plaintext: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES);
  return Buffer.concat([nonce, suite.encrypt(key, nonce, aad, plaintext)]);
}

/** Undoes `seal`. Rejects with `CORRUPT` naming `what` when the bytes were not sealed so. */
export function open(
  suite: CryptoSuite,
  key: SecretKey,
  sealed: Uint8Array,
  aad: Uint8Array,
  what: string,
): Uint8Array {
  const plaintext =
    sealed.length < SEAL_BYTES
      ? undefined
      : suite.decrypt(key, sealed.subarray(0, NONCE_BYTES), aad, sealed.subarray(NONCE_BYTES));
  if (plaintext === undefined) {
    throw new CairnError('CORRUPT', `${what} does not open: it is damaged, or sealed under another key`, {
      hint: 'Run `cairn check` to see what is affected.',
    });
  }
  return plaintext;
}
