import type { Capabilities, SecretName } from '../crypto/capabilities.ts';
import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { loadIndex } from '../index/load.ts';
import type { ChunkIndex } from '../index/chunk-index.ts';
import { Log } from '../log/log.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import type { ClientState } from '../ports/client-state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { Zstd } from '../ports/zstd.ts';
import { loadZstd } from '../zstd/load.ts';
import { verifyConfig, type RepositoryConfig } from './config.ts';

/** What opening a repository takes. */
export interface AccessOptions {
  readonly store: ObjectStore;
  readonly keys: Capabilities;
  readonly suite: CryptoSuite;
  readonly environment: Environment;
  readonly clientState: ClientState;
}

/** An opened repository as the verbs see it: verified config, replayed log, keys, and the index when it is needed. */
export class RepositoryAccess {
  readonly store: ObjectStore;
  readonly keys: Capabilities;
  readonly suite: CryptoSuite;
  readonly environment: Environment;
  readonly config: RepositoryConfig;
  readonly log: Log;
  private loadedIndex: Promise<ChunkIndex> | undefined;
  private loadedZstd: Promise<Zstd> | undefined;

  private constructor(options: AccessOptions, config: RepositoryConfig, log: Log) {
    this.store = options.store;
    this.keys = options.keys;
    this.suite = options.suite;
    this.environment = options.environment;
    this.config = config;
    this.log = log;
  }

  /**
   * Verifies `config` and replays the log. Rejects with `REPOSITORY_MISSING`, `WRONG_KEY`, `CORRUPT`, `ROLLBACK_DETECTED`
   * or `FORMAT_UNSUPPORTED`.
   */
  static async open(options: AccessOptions): Promise<RepositoryAccess> {
    const { store, keys, suite, environment, clientState } = options;
    const object = await readConfigObject(store);
    const config = verifyConfig(suite, keys, object);
    const logKey = requireSecret(keys, 'log', 'read the log');
    const repository = toHex(config.repo);
    const configHash = suite.sha256(object);
    const log = await Log.open({ store, suite, environment, clientState, repository, logKey, configHash });
    return new RepositoryAccess(options, config, log);
  }

  /** Repository uid, 32 hex digits. */
  get id(): string {
    return toHex(this.config.repo);
  }

  /** The secret of that name. Rejects with `RIGHT_MISSING` saying what `action` it is needed for. */
  secret(name: SecretName, action: string): Uint8Array {
    return requireSecret(this.keys, name, action);
  }

  /**
   * Rejects with `RIGHT_MISSING` for a key that only backs up. Such a key could write any entry of the log, for it must chain
   * its own; that a host which adds archives takes none away is what it is given for. A server holds to the same.
   */
  refuseWriteOnly(action: string): void {
    this.secret('skM', action);
  }

  zstd(): Promise<Zstd> {
    this.loadedZstd ??= loadZstd();
    return this.loadedZstd;
  }

  /** The chunk index over all present segments, loaded once. */
  index(): Promise<ChunkIndex> {
    this.loadedIndex ??= loadIndex(this);
    return this.loadedIndex;
  }

  /** Lets the next use of the index load it anew: what a writer does that stored segments. */
  forgetIndex(): void {
    this.loadedIndex = undefined;
  }

  /** Replays the log and loads the index again: what a reader does that met a missing pack. */
  async reloadIndex(): Promise<ChunkIndex> {
    await this.log.refresh();
    this.loadedIndex = loadIndex(this);
    return await this.loadedIndex;
  }

  /** A reader of chunks of its own cache. */
  async chunkReader(): Promise<ChunkReader> {
    return new ChunkReader(this, new ChunkOpener(this.suite, await this.zstd(), this.keys), await this.index());
  }
}

/** The bytes of `config`, unverified. Rejects with `REPOSITORY_MISSING` when there is none. */
export async function readConfigObject(store: ObjectStore): Promise<Uint8Array> {
  try {
    return await store.get({ kind: 'config', name: 'config' });
  } catch (error) {
    if (error instanceof CairnError && error.code === 'OBJECT_MISSING') {
      throw new CairnError('REPOSITORY_MISSING', `there is no repository at ${store.description}`, {
        hint: 'Check the address, or create one with `cairn init`.',
        cause: error,
      });
    }
    throw error;
  }
}

export function requireSecret(keys: Capabilities, name: SecretName, action: string): Uint8Array {
  const secret = keys[name];
  if (secret === undefined) {
    throw new CairnError('RIGHT_MISSING', `this key cannot ${action}`, {
      hint: 'Use a key file with that right; `cairn key show` tells what a key can do.',
    });
  }
  return secret;
}
