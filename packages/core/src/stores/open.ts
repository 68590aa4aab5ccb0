import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { CairnError } from '../errors.ts';
import { systemEnvironment } from '../host/environment.ts';
import { systemTimer } from '../host/timer.ts';
import { FAR_STORE } from '../limits.ts';
import type { Environment } from '../ports/environment.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import type { StoreMemory } from '../ports/store-memory.ts';
import type { Timer } from '../ports/timer.ts';
import { parseAddress, type StoreAddress } from './address.ts';
import type { Rate } from './rate-limiter.ts';
import type { RetryNotice } from './retrying.ts';
import type { Variables } from './s3-credentials.ts';

/** What opening a store takes beside its address. */
export interface OpenStoreOptions {
  /** For a new repository: makes the folders of a directory store. Default: open one that exists. */
  readonly create?: boolean;
  /** File with the credentials for the store; what it holds depends on the kind of address. */
  readonly credentialsFile?: string;
  /** Environment variables, of which each kind of store has some of its own: `AWS_ACCESS_KEY_ID` and so on. Default: none. */
  readonly variables?: Variables;
  /** What this client remembers of stores; see `clientFiles`. Default: nothing. */
  readonly storeMemory?: StoreMemory;
  /** Directory for the log of each store over a network, so that it is not fetched again each time. Default: none is kept. */
  readonly cacheDirectory?: string;
  /** Bytes for each second that all uploads together may take. Default: no limit. A function is asked each time. */
  readonly uploadBytesPerS?: Rate;
  /** Bytes for each second that all downloads together may take. Default: no limit. A function is asked each time. */
  readonly downloadBytesPerS?: Rate;
  /** Milliseconds for which a call to a store over a network is repeated while there is no answer; 0: not at all. Default: 10 minutes. */
  readonly retryForMs?: number;
  /** Hears of each such failure before the next attempt. */
  readonly onRetry?: (notice: RetryNotice) => void;
  readonly environment?: Environment;
  readonly timer?: Timer;
}

/**
 * Opens the store at an address: a directory, `file://…`, `https://…` and `ssh://…` of a repository server,
 * or `s3://BUCKET/PREFIX`. Calls to stores over a network are repeated
 * while there is no answer, and all are slowed down to the bandwidth that is given.
 * Rejects with `USAGE` for an address that is none, or credentials that are absent; for a directory with what
 * `DirectoryStore.open` and `create` reject with. A store over a network is not asked anything yet.
 */
export async function openStore(address: string, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  return await openStoreAt(parseAddress(address), options);
}

/** As `openStore`, for an address that was parsed. */
export async function openStoreAt(address: StoreAddress, options: OpenStoreOptions = {}): Promise<ObjectStore> {
  const store = await openAdapter(address, options);
  if (address.kind === 'directory') return await withLimits(store, options);
  return await withKeptLog(await withLimits(await withRetries(store, options), options), options);
}

async function openAdapter(address: StoreAddress, options: OpenStoreOptions): Promise<ObjectStore> {
  const { environment = systemEnvironment, variables = {}, storeMemory } = options;
  switch (address.kind) {
    case 'directory': {
      const { DirectoryStore } = await import('./directory.ts');
      const { random } = environment;
      return await (options.create === true
        ? DirectoryStore.create(address.path, random)
        : DirectoryStore.open(address.path, random));
    }
    case 'http': {
      const [{ openHttpStore }, { findServerAccess }] = await Promise.all([
        import('./http.ts'),
        import('./server-access.ts'),
      ]);
      const access = await findServerAccess(variables, options.credentialsFile);
      return openHttpStore({ address: address.address, ...access });
    }
    case 'ssh': {
      const { openSshStore } = await import('./ssh.ts');
      const { CAIRN_SSH: program, CAIRN_SSH_OPTIONS: words, CAIRN_SSH_CONNECTIONS: connections } = variables;
      return openSshStore({
        address: address.address,
        create: options.create === true,
        ...(program === undefined ? {} : { program }),
        ...(connections === undefined ? {} : { connections: connectionsOf(connections) }),
        ...(words === undefined ? {} : { options: words.split(/\s+/).filter((word) => word !== '') }),
      });
    }
    case 's3': {
      const [{ S3Store }, { findS3Credentials }] = await Promise.all([
        import('./s3.ts'),
        import('./s3-credentials.ts'),
      ]);
      const credentials = await findS3Credentials(variables, options.credentialsFile);
      const memory = storeMemory === undefined ? {} : { memory: storeMemory };
      return new S3Store({ address, credentials, environment, variables, ...memory });
    }
  }
}

function connectionsOf(text: string): number {
  const number = Number(text);
  if (/^\d{1,2}$/.test(text) && number >= 1 && number <= FAR_STORE.mostSshConnections) return number;
  throw new CairnError('USAGE', `CAIRN_SSH_CONNECTIONS is ${JSON.stringify(text)}, which is no number of connections`, {
    hint: `Give a number from 1 to ${FAR_STORE.mostSshConnections}.`,
  });
}

async function withRetries(store: ObjectStore, options: OpenStoreOptions): Promise<ObjectStore> {
  const { environment = systemEnvironment, timer = systemTimer, retryForMs, onRetry } = options;
  const { RetryingStore } = await import('./retrying.ts');
  return new RetryingStore(store, {
    ...environment,
    timer,
    ...(retryForMs === undefined ? {} : { forMs: retryForMs }),
    ...(onRetry === undefined ? {} : { onRetry }),
  });
}

async function withKeptLog(store: ObjectStore, options: OpenStoreOptions): Promise<ObjectStore> {
  const { cacheDirectory, environment = systemEnvironment } = options;
  if (cacheDirectory === undefined) return store;
  const { CachedLogStore } = await import('./cached-log.ts');
  const name = createHash('sha256').update(store.description).digest('hex').slice(0, 32);
  return new CachedLogStore(store, join(cacheDirectory, `log-${name}`), environment.random);
}

async function withLimits(store: ObjectStore, options: OpenStoreOptions): Promise<ObjectStore> {
  const { environment = systemEnvironment, timer = systemTimer, uploadBytesPerS, downloadBytesPerS } = options;
  if (uploadBytesPerS === undefined && downloadBytesPerS === undefined) return store;
  const { ThrottledStore } = await import('./throttled.ts');
  return new ThrottledStore(store, {
    clock: environment.clock,
    timer,
    ...(uploadBytesPerS === undefined ? {} : { uploadBytesPerS }),
    ...(downloadBytesPerS === undefined ? {} : { downloadBytesPerS }),
  });
}
