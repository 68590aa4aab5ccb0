import { createCipheriv, createHash } from 'node:crypto';

/** `length` bytes that no codec compresses and that are the same for the same seed: the AES-128-CTR key stream. */
export function pseudoRandomBytes(seed: string, length: number): Buffer {
  const key = createHash('sha256').update(seed).digest().subarray(0, 16);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}
