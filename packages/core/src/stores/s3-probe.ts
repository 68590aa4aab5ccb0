import { CairnError } from '../errors.ts';
import { NEEDS_CONDITION } from './s3-errors.ts';

/** Puts at once of one name, of which the service must take exactly one. */
const RIVALS = 4;

/**
 * Finds out whether a service keeps the promise that everything rests on: of several puts of one name with `If-None-Match: *`
 * exactly one is taken, and a later one never. Services that do not know the header ignore it, and overwrite.
 *
 * @param put true when the service took the body, false when it refused it because the name is taken.
 * Rejects with `STORE_FAILED` when the promise is broken, and like `put`.
 */
export async function probeConditionalPut(
  put: (body: Uint8Array) => Promise<boolean>,
  description: string,
): Promise<void> {
  const bodies = Array.from({ length: RIVALS + 1 }, (_, number) => Buffer.from(`cairn probe ${number}\n`));
  const taken = await Promise.all(bodies.slice(1).map(put));
  const winners = taken.filter(Boolean).length;
  if (winners !== 1) throw broken(description, `it took ${winners} of ${RIVALS} puts of one name`);
  if (await put(bodies[0] ?? new Uint8Array())) throw broken(description, 'it overwrote an object');
}

function broken(description: string, how: string): CairnError {
  return new CairnError('STORE_FAILED', `${description} cannot hold a repository: ${how}`, { hint: NEEDS_CONDITION });
}
