import { isCairnError } from '../errors.ts';
import type { CallOptions, ObjectStore } from '../ports/object-store.ts';

/**
 * Puts a pack or a segment, whose name is the SHA-256 of its bytes; resolves once it is durable. That it is there already is
 * what was wanted: the name holds a random salt, so it was put by an earlier attempt of this call whose answer got lost. Whether
 * the log swept the name is judged where somebody relies on it (rules R4 and R6). Rejects like the store.
 */
export async function putByHash(
  store: ObjectStore,
  kind: 'packs' | 'index',
  name: string,
  object: Uint8Array,
  options: CallOptions = {},
): Promise<void> {
  try {
    await store.put({ kind, name }, object, options);
  } catch (error) {
    if (!isCairnError(error, 'OBJECT_EXISTS')) throw error;
  }
}
