import type { ObjectInfo } from '../ports/object-store.ts';
import { sumPacks } from './pack-sums.ts';
import type { Grace } from './roots.ts';
import type { Survey } from './survey.ts';

/** How many packs, and their bytes. */
export interface PackTotal {
  readonly packs: number;
  readonly bytes: number;
}

/** What is to be done with which packs, as far as the index tells; each is judged by its own header before it goes. */
export interface Choice {
  /** Positions in the index of packs of which nothing is live. */
  readonly dead: readonly number[];
  /** Positions of packs of which too much is not needed there; those with the most to gain come first. */
  readonly repack: readonly number[];
  /** Packs that no segment lists, and that are too old to be of a run that is under way (rule R13). */
  readonly unlisted: readonly ObjectInfo[];
  /** Packs that nothing is known to need and that stay: younger than the grace, or unlisted while a segment is lost. */
  readonly young: PackTotal;
  /** Of the packs to repack: sealed bytes that will be copied, and that will be freed. */
  readonly repackBytes: { readonly copied: number; readonly freed: number };
  /** Bytes that are not needed and stay, because their packs hold enough else. */
  readonly unusedBytes: number;
}

/** @param maxUnused the share of a pack that may be unused without its being repacked, 0 to 1. */
export function choosePacks(survey: Survey, grace: Grace, maxUnused: number): Choice {
  const { index, access } = survey;
  const { condemnedPacks, sweptPacks, damage } = access.log.state;
  const condemned = Uint8Array.from(index.packs, ({ name }) =>
    condemnedPacks.has(name) || sweptPacks.has(name) ? 1 : 0,
  );
  // Of a pack that is noted as damaged nothing is copied, and no copy in it counts; it goes when nothing in it is live.
  const noted = Uint8Array.from(index.packs, ({ name }) => (damage.packs.has(name) ? 1 : 0));
  const isHere = (pack: number): boolean => condemned[pack] === 0 && survey.isPresent(pack);
  const stays = (pack: number): boolean => noted[pack] === 0 && isHere(pack);
  const { live, dead, spare } = sumPacks(survey, stays);
  const chosen = { dead: [] as number[], repack: [] as number[] };
  const young = { packs: 0, bytes: 0 };
  const repackBytes = { copied: 0, freed: 0 };
  let unusedBytes = 0;
  for (const [pack, { sizeBytes }] of index.packs.entries()) {
    if (!isHere(pack)) continue;
    const [liveBytes = 0, deadBytes = 0, spareBytes = 0] = [live[pack], dead[pack], spare[pack]];
    const unused = deadBytes + spareBytes;
    if (liveBytes === 0) {
      if (grace.isOver(survey.receivedMs[pack] as number)) chosen.dead.push(pack);
      else addTo(young, sizeBytes);
    } else if (stays(pack) && unused > maxUnused * (liveBytes + deadBytes)) {
      chosen.repack.push(pack);
      repackBytes.copied += liveBytes - spareBytes;
      repackBytes.freed += unused;
    } else unusedBytes += unused;
  }
  const share = (pack: number): number => (live[pack] as number) - (spare[pack] as number);
  chosen.repack.sort((a, b) => share(a) - share(b));
  const unlisted = survey.unlisted.filter(({ name }) => !condemnedPacks.has(name));
  // When a segment is lost, archives may need packs that only it listed.
  const isOld = ({ receivedMs }: ObjectInfo): boolean => survey.lostSegments === 0 && grace.isOver(receivedMs);
  for (const info of unlisted) if (!isOld(info)) addTo(young, info.sizeBytes);
  return { ...chosen, unlisted: unlisted.filter(isOld), young, repackBytes, unusedBytes };
}

function addTo(total: { packs: number; bytes: number }, bytes: number): void {
  total.packs += 1;
  total.bytes += bytes;
}
