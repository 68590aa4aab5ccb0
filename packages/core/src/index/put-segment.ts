import { toHex } from '../ids.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { putByHash } from '../repository/put-by-hash.ts';

/** Puts an index segment and resolves to its name once it is durable. Rejects like the store. */
export async function putSegment({ suite, store }: RepositoryAccess, object: Uint8Array): Promise<string> {
  const name = toHex(suite.sha256(object));
  await putByHash(store, 'index', name, object);
  return name;
}
