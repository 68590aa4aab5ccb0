import { Worker } from 'node:worker_threads';

import { CairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';

/** What the thread is told; see worker-thread.ts. */
export interface Argon2Order {
  /** A copy: the thread wipes it. */
  readonly passphrase: Uint8Array;
  readonly salt: Uint8Array;
  readonly parameters: Parameters<CryptoSuite['argon2id']>[2];
  readonly length: number;
}

/** `portableArgon2id` in a thread of its own, which ends with it: a server answers others meanwhile. Rejects with `INTERNAL`. */
export const threadedArgon2id: CryptoSuite['argon2id'] = async (passphrase, salt, parameters, length) => {
  const workerData: Argon2Order = { passphrase, salt, parameters, length };
  const worker = new Worker(new URL('./worker-thread.js', import.meta.url), { env: {}, argv: [], workerData });
  return await new Promise<Uint8Array>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(new CairnError('INTERNAL', 'the thread that stretches a passphrase ended before its work'));
    });
  });
};
