import { argon2idAsync } from '@noble/hashes/argon2.js';

/**
 * argon2id in portable code: about 0.9 s for 64 MiB and 3 passes. Its turns are of promises alone: nothing else of the thread runs
 * meanwhile.
 */
export async function nobleArgon2id(
  passphrase: Uint8Array,
  salt: Uint8Array,
  parameters: { readonly memoryKiB: number; readonly passes: number; readonly lanes: number },
  length: number,
): Promise<Uint8Array> {
  return await argon2idAsync(passphrase, salt, {
    m: parameters.memoryKiB,
    t: parameters.passes,
    p: parameters.lanes,
    dkLen: length,
  });
}
