import { FetchedPackStore, makeRelease, nameOwnDirectory, systemEnvironment, type ObjectStore } from '@cairn/core';

import type { Context } from '../context.ts';

/** A store whose packs become files of this machine while many files are read, where it is far away. */
export async function withFetchedPacks({ settings }: Context, store: ObjectStore): Promise<ObjectStore> {
  const cache = settings.text('cache-directory');
  if (store.localPath !== undefined || cache === undefined) return store;
  const directory = await nameOwnDirectory(cache, 'packs', systemEnvironment.random);
  return new FetchedPackStore(store, directory, await makeRelease());
}
