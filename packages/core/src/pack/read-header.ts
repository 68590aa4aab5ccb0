import { CairnError } from '../errors.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { decodePackHeader, PACK_PREFIX_BYTES, packHeaderLength, type PackHeader } from './layout.ts';

/** What reading packs takes. */
export interface PackAccess {
  readonly store: ObjectStore;
  readonly suite: CryptoSuite;
  readonly keys: { readonly repo: Uint8Array; readonly loc: Uint8Array };
}

/**
 * Reads the header of a pack and nothing else of it.
 * @param length bytes before the first chunk as the index tells: if that is right, one read is enough.
 * Rejects with `CORRUPT`, `OBJECT_MISSING`, or like the store.
 */
export async function readPackHeader(
  { store, suite, keys }: PackAccess,
  name: string,
  sizeBytes: number,
  length: number | undefined,
): Promise<PackHeader> {
  const key = { kind: 'packs', name } as const;
  const read = async (bytes: number): Promise<Uint8Array> => {
    if (bytes > sizeBytes) throw new CairnError('CORRUPT', `pack ${name} is damaged: it ends inside its header`);
    return await store.get(key, { range: { offset: 0, length: bytes } });
  };
  const what = `pack ${name}`;
  const first = await read(Math.min(length ?? PACK_PREFIX_BYTES, sizeBytes));
  const whole = packHeaderLength(first, what);
  const bytes = whole > first.length ? await read(whole) : first;
  return decodePackHeader(suite, keys, bytes, sizeBytes, what);
}
