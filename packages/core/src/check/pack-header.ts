import { decodePackHeader, PACK_PREFIX_BYTES, packHeaderLength, type PackHeader } from '../pack/layout.ts';
import { CairnError } from '../errors.ts';
import type { CheckContext } from './context.ts';

/**
 * Reads the header of a pack and nothing else of it.
 * @param length bytes before the first chunk as the index tells: if that is right, one read is enough.
 * Rejects with `CORRUPT`, `OBJECT_MISSING`, or like the store.
 */
export async function readPackHeader(
  context: CheckContext,
  name: string,
  sizeBytes: number,
  length: number | undefined,
): Promise<PackHeader> {
  const { access, store } = context;
  const key = { kind: 'packs', name } as const;
  const keys = { repo: access.config.repo, loc: access.secret('loc', 'read pack headers') };
  const read = async (bytes: number): Promise<Uint8Array> => {
    if (bytes > sizeBytes) throw new CairnError('CORRUPT', `pack ${name} is damaged: it ends inside its header`);
    return await store.get(key, { range: { offset: 0, length: bytes } });
  };
  const what = `pack ${name}`;
  const first = await read(Math.min(length ?? PACK_PREFIX_BYTES, sizeBytes));
  const whole = packHeaderLength(first, what);
  const bytes = whole > first.length ? await read(whole) : first;
  return decodePackHeader(access.suite, keys, bytes, sizeBytes, what);
}
