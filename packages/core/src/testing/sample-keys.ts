import { type Capabilities, deriveCapabilities } from '../crypto/capabilities.ts';
import { nodeSuite } from '../crypto/node-suite.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Random } from '../ports/environment.ts';

/** A repository uid and root key that are easy to recognise, and what follows from them. */
export const SAMPLE_REPO = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
export const SAMPLE_ROOT = Buffer.from(Array.from({ length: 32 }, (_, i) => 0xa0 + i));
export const SAMPLE_KEYS: Capabilities = deriveCapabilities(nodeSuite, SAMPLE_ROOT, SAMPLE_REPO);

/** 2026-11-21T08:00:00Z and some nanoseconds. */
export const SAMPLE_TIME_NS = 1_795_248_000_123_456_789n;

/** Bytes that are the same for the same seed. */
export function seededRandom(seed: string): Random {
  let calls = 0;
  return {
    bytes(length) {
      calls += 1;
      return nodeSuite.hkdf(Buffer.from(seed), Buffer.alloc(0), Buffer.from(`call ${calls}`), length);
    },
  };
}

/**
 * A suite for reading a key thousands of times: argon2id costs nothing, yet depends on every parameter, and what was
 * computed once is remembered.
 */
export function cheapSuite(): CryptoSuite {
  const known = new Map<string, Uint8Array>();
  const once = (inputs: readonly Uint8Array[], compute: () => Uint8Array): Uint8Array => {
    const name = inputs.map((input) => Buffer.from(input).toString('hex')).join();
    const value = known.get(name) ?? compute();
    known.set(name, value);
    return value;
  };
  return {
    ...nodeSuite,
    hkdf: (ikm, salt, info, length) => once([ikm, salt, info], () => nodeSuite.hkdf(ikm, salt, info, length)),
    x25519Public: (secret) => once([secret], () => nodeSuite.x25519Public(secret)),
    argon2id: (passphrase, salt, { memoryKiB, passes, lanes }, length) =>
      Promise.resolve(nodeSuite.hkdf(passphrase, salt, Buffer.from(`${memoryKiB} ${passes} ${lanes}`), length)),
  };
}
