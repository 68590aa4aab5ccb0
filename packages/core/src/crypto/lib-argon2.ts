import { createRequire } from 'node:module';

import type { CryptoSuite } from '../ports/crypto-suite.ts';

type Argon2id = CryptoSuite['argon2id'];

/** What `argon2id_hash_raw` of argon2.h returns when all went well. */
const ARGON2_OK = 0;

/** A small input with the answer of the reference implementation (phc-winner-argon2, `src/test.c`). */
const KNOWN = {
  passphrase: Buffer.from('password'),
  salt: Buffer.from('somesalt'),
  parameters: { memoryKiB: 256, passes: 2, lanes: 1 },
  answer: Buffer.from('9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe', 'hex'),
};

/**
 * argon2id of the system's libargon2, which Debian installs with cryptsetup: 0.15 s where JavaScript takes two. Undefined when
 * the library is not there, or does not give a known answer.
 */
export async function loadLibArgon2(): Promise<Argon2id | undefined> {
  const argon2id = bind();
  if (argon2id === undefined) return undefined;
  const { passphrase, salt, parameters, answer } = KNOWN;
  return answer.equals(await argon2id(passphrase, salt, parameters, answer.length)) ? argon2id : undefined;
}

function bind(): Argon2id | undefined {
  let hash: (...parameters: readonly unknown[]) => unknown;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    hash = koffi
      .load('libargon2.so.1')
      .func(
        'int argon2id_hash_raw(uint32_t, uint32_t, uint32_t, const void *, size_t, const void *, size_t, void *, size_t)',
      );
  } catch {
    // No such library here, or no binding for this platform: another implementation is used.
    return undefined;
  }
  return async (passphrase, salt, { memoryKiB, passes, lanes }, length) => {
    const output = Buffer.alloc(length);
    const sizes = [passphrase.length, salt.length] as const;
    const code = hash(passes, memoryKiB, lanes, passphrase, sizes[0], salt, sizes[1], output, length);
    if (code !== ARGON2_OK) throw new Error(`libargon2 reports error ${String(code)}`);
    return output;
  };
}
