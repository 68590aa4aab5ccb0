import { isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { RepositoryAccess } from '../repository/access.ts';

/** Puts an index segment and resolves to its name once it is durable. Rejects like the store. */
export async function putSegment({ suite, store }: RepositoryAccess, object: Uint8Array): Promise<string> {
  const name = toHex(suite.sha256(object));
  try {
    await store.put({ kind: 'index', name }, object);
  } catch (error) {
    // The name is the content's hash: whoever put it first put the same bytes.
    if (!isCairnError(error, 'OBJECT_EXISTS')) throw error;
  }
  return name;
}
