import {
  CairnError,
  clientFiles,
  openStore as openStoreAt,
  parseAddress,
  Repository,
  type ClientFiles,
  type KeyFile,
  type ObjectStore,
  type RepositoryClaims,
} from '@cairn/core';

import { resolve } from 'node:path';

import type { Context } from './context.ts';
import { obtainKey, type ObtainedKey } from './keys/obtain-key.ts';
import { safeText } from './output/safe-text.ts';
import { storeOptionsOf } from './store-options.ts';

/** A store that was opened, and what it tells without a key. */
export interface OpenedStore {
  readonly store: ObjectStore;
  readonly claims: RepositoryClaims;
  /** Repository id, 32 hex digits, as the store tells it. */
  readonly id: string;
}

export interface OpenedRepository extends OpenedStore {
  readonly repository: Repository;
  readonly key: ObtainedKey;
}

/** What a store is opened with. */
export type StoreContext = Pick<Context, 'settings' | 'variables' | 'messages'>;

/** Where the repository is: a path, or an address. Rejects with `USAGE` when that is not set. */
export function repositoryPlace({ settings }: Pick<Context, 'settings'>): string {
  const place = settings.text('repository');
  if (place === undefined) {
    throw new CairnError('USAGE', 'no repository is given', {
      hint: 'Name it with -r ADDRESS, with CAIRN_REPOSITORY or in the configuration file.',
    });
  }
  return place;
}

/** The place as it holds from any working directory. Rejects with `USAGE` for an address that is none. */
export function shownPlace(place: string): string {
  const address = parseAddress(place);
  return address.kind === 'directory' ? resolve(address.path) : place;
}

/** What this machine remembers and caches. */
export function clientFilesOf({ settings }: Pick<Context, 'settings'>): ClientFiles {
  const state = settings.text('state-directory');
  const cache = settings.text('cache-directory');
  if (state === undefined || cache === undefined) throw new CairnError('INTERNAL', 'directories have no default');
  return clientFiles({ state, cache });
}

/** What differs from the settings when a store is opened. */
export interface PlaceHow {
  /** Makes an empty one. */
  readonly create?: boolean;
  /** Milliseconds for which a call is repeated, whatever the settings say. */
  readonly retryForMs?: number;
}

/** The store at a place, opened as the settings say. Rejects like `openStore` of the library. */
export async function openPlace(context: StoreContext, place: string, how: PlaceHow = {}): Promise<ObjectStore> {
  const { storeMemory } = clientFilesOf(context);
  const cacheDirectory = context.settings.text('cache-directory');
  return await openStoreAt(place, {
    ...storeOptionsOf(context),
    storeMemory,
    ...(cacheDirectory === undefined ? {} : { cacheDirectory }),
    ...how,
  });
}

/** Opens the store. Rejects with `USAGE`, `REPOSITORY_MISSING`, `CORRUPT` and as stores do. */
export async function openStore(context: StoreContext, how: PlaceHow = {}): Promise<OpenedStore> {
  const store = await openPlace(context, repositoryPlace(context), how);
  const claims = await Repository.inspect(store);
  return { store, claims, id: Buffer.from(claims.repo).toString('hex') };
}

/** What a program that stays does differently. */
export interface OpenHow extends Pick<PlaceHow, 'retryForMs'> {
  /** The key, when it was obtained already. */
  readonly key?: KeyFile;
  /** Puts something before the store. */
  readonly wrap?: (store: ObjectStore) => ObjectStore | Promise<ObjectStore>;
  /** The command tells itself what is wrong with the log. */
  readonly ownDoubts?: boolean;
}

/** Opens the repository with the key at hand, and remembers its fingerprint. Rejects as `openStore`, `obtainKey`, `open` do. */
export async function openRepository(context: Context, how: OpenHow = {}): Promise<OpenedRepository> {
  const { retryForMs } = how;
  const opened = await openStore(context, retryForMs === undefined ? {} : { retryForMs });
  const { clientState, treeCache, checkMemory } = clientFilesOf(context);
  const key =
    how.key === undefined ? await obtainKey(context, opened.store, opened.id, clientState) : { keyFile: how.key };
  const { capabilities, fingerprint } = key.keyFile;
  const store = (await how.wrap?.(opened.store)) ?? opened.store;
  const repository = await Repository.open(store, { keys: capabilities, clientState, treeCache, checkMemory });
  if ((await clientState.readFingerprint(opened.id)) === undefined) {
    await clientState.writeFingerprint(opened.id, fingerprint);
  }
  if (how.ownDoubts !== true) {
    for (const { message, hint = '' } of repository.doubts()) context.messages.doubt(safeText(`${message}. ${hint}`));
  }
  return { ...opened, repository, key };
}

/** Opens the repository for `use`, and closes it whatever happens. */
export async function withRepository<T>(
  context: Context,
  use: (opened: OpenedRepository) => Promise<T>,
  how: OpenHow = {},
): Promise<T> {
  const opened = await openRepository(context, how);
  try {
    return await use(opened);
  } finally {
    await opened.repository.close();
  }
}
