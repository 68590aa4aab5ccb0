import { deriveCapabilities, fingerprintOf, type Capabilities } from '../crypto/capabilities.ts';
import { CairnError, isCairnError } from '../errors.ts';
import { CHUNKER_DATA, CHUNKER_TREE } from '../limits.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { requireSecret } from './access.ts';
import { encodeConfig } from './config.ts';

/**
 * Creates a repository in an empty store: a fresh root key and the `config` object. Returns the root capabilities, which
 * exist nowhere else: the caller must save them, best in `save`, which is called before the store is touched. Rejects with
 * `REPOSITORY_EXISTS`.
 */
export async function createRepository(
  store: ObjectStore,
  suite: CryptoSuite,
  environment: Environment,
  save?: (keys: Capabilities) => Promise<void>,
): Promise<Capabilities> {
  const { random, clock } = environment;
  const keys = deriveCapabilities(suite, random.bytes(32), random.bytes(16));
  const config = encodeConfig(suite, requireSecret(keys, 'log', 'create a repository'), {
    repo: keys.repo,
    fingerprint: fingerprintOf(suite, keys),
    createdNs: clock.nowNs(),
    features: [],
    chunkerData: CHUNKER_DATA,
    chunkerTree: CHUNKER_TREE,
  });
  await save?.(keys);
  try {
    await store.put({ kind: 'config', name: 'config' }, config);
  } catch (error) {
    if (!isCairnError(error, 'OBJECT_EXISTS')) throw error;
    throw new CairnError('REPOSITORY_EXISTS', `there is a repository at ${store.description} already`, {
      hint: 'Use it with its key, or choose another place.',
      cause: error,
    });
  }
  return keys;
}
