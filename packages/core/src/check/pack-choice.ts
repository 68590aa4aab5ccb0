import { CairnError } from '../errors.ts';
import type { Random } from '../ports/environment.ts';

/** How much of the packs to read wholly: a share of them, or as many as a time allows, or what comes first. */
export interface PackSample {
  /** Above 0 and up to 1. At least one pack is read. */
  readonly share?: number;
  /** No pack is begun after so many milliseconds of reading. At least one is. */
  readonly forMs?: number;
}

/** The share that is meant. Rejects with `USAGE` for a sample that cannot be. */
export function shareOf({ share, forMs }: PackSample): number {
  if (share === undefined && forMs === undefined) {
    throw new CairnError('USAGE', 'a sample needs a share of the packs or a time', { hint: 'Give one of them.' });
  }
  if (share !== undefined && !(share > 0 && share <= 1)) {
    throw new CairnError('USAGE', `not a share of the packs: ${share}`, { hint: 'Give a number from 0 to 1.' });
  }
  if (forMs !== undefined && !(forMs > 0)) {
    throw new CairnError('USAGE', `not a time to check for: ${forMs} ms`, { hint: 'Give a number above 0.' });
  }
  return share ?? 1;
}

/**
 * That share of the packs, rounded up: those that were verified longest ago first. Among those of the same time, and those of
 * which nothing is known, chance decides: a client that remembers nothing gets round to all of them, too.
 * @param verifiedMs milliseconds since 1970 by name.
 */
export function longestUnverified(
  names: readonly string[],
  verifiedMs: ReadonlyMap<string, number>,
  share: number,
  random: Random,
): string[] {
  const bytes = Buffer.from(random.bytes(4 * Math.max(1, names.length)));
  return names
    .map((name, i) => ({ name, ms: verifiedMs.get(name) ?? -1, lot: bytes.readUInt32LE(4 * i) }))
    .toSorted((a, b) => a.ms - b.ms || a.lot - b.lot)
    .slice(0, Math.ceil(names.length * share))
    .map(({ name }) => name);
}
