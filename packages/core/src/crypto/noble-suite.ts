import { gcm } from '@noble/ciphers/aes.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';

import { CairnError, invariant } from '../errors.ts';
import type { CryptoSuite, SecretKey } from '../ports/crypto-suite.ts';
import { nobleArgon2id } from './noble-argon2.ts';

const TAG_BYTES = 16;

class NobleKey implements SecretKey {
  readonly suite = 'noble';
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    invariant(bytes.length === 32, 'a key has 32 bytes');
    this.bytes = Uint8Array.from(bytes);
  }
}

function keyBytes(key: SecretKey): Uint8Array {
  invariant(key instanceof NobleKey, 'the key was made by the noble suite');
  return key.bytes;
}

/**
 * The primitives in portable code, without `node:crypto`: for other runtimes, and the second opinion that the suite in use
 * is held against. Some fifty times slower.
 */
export const nobleSuite: CryptoSuite = {
  name: 'noble',

  secretKey: (bytes) => new NobleKey(bytes),

  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },

  hmac(key, ...parts) {
    const mac = hmac.create(sha256, keyBytes(key));
    for (const part of parts) mac.update(part);
    return mac.digest();
  },

  hkdf: (ikm, salt, info, length = 32) => hkdf(sha256, ikm, salt, info, length),

  x25519(secret, publicKey) {
    invariant(secret.length === 32 && publicKey.length === 32, 'an X25519 key has 32 bytes');
    try {
      return x25519.getSharedSecret(secret, publicKey);
    } catch (cause) {
      throw new CairnError('CORRUPT', 'a public key in the repository is not usable', { cause });
    }
  },

  x25519Public: (secret) => x25519.getPublicKey(secret),

  encrypt: (key, nonce, aad, ...plaintext) => gcm(keyBytes(key), nonce, aad).encrypt(Buffer.concat(plaintext)),

  encryptInto(key, nonce, aad, target, ...plaintext) {
    target.set(gcm(keyBytes(key), nonce, aad).encrypt(Buffer.concat(plaintext)));
  },

  decrypt(key, nonce, aad, sealed) {
    if (sealed.length < TAG_BYTES) return undefined;
    const cipher = gcm(keyBytes(key), nonce, aad);
    try {
      return cipher.decrypt(sealed);
    } catch {
      // The library says only that the tag does not fit: the caller knows which object this was.
      return undefined;
    }
  },

  argon2id: nobleArgon2id,
};
