import type { CryptoSuite } from '../ports/crypto-suite.ts';

/**
 * argon2id without the one of Node: the system's libargon2, else JavaScript. Either keeps its thread until it is done; see
 * threaded-argon2.ts for programs that have something else to do meanwhile.
 */
export const portableArgon2id: CryptoSuite['argon2id'] = async (passphrase, salt, parameters, length) => {
  const { loadLibArgon2 } = await import('./lib-argon2.ts');
  const library = await loadLibArgon2();
  if (library !== undefined) return await library(passphrase, salt, parameters, length);
  const { nobleArgon2id } = await import('./noble-argon2.ts');
  return await nobleArgon2id(passphrase, salt, parameters, length);
};
