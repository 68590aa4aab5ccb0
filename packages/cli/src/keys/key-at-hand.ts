import type { Context } from '../context.ts';
import { clientFilesOf, openStore } from '../open-repository.ts';
import { keyFromFile, obtainKey, type ObtainedKey } from './obtain-key.ts';

/** The key that is set, without a look at the repository where a file is named; else the key that opens the repository. */
export async function keyAtHand(context: Context, file = context.settings.text('key-file')): Promise<ObtainedKey> {
  if (file !== undefined) return await keyFromFile(context, file);
  const { store, id } = await openStore(context);
  try {
    return await obtainKey(context, store, id, clientFilesOf(context).clientState);
  } finally {
    await store[Symbol.asyncDispose]();
  }
}
