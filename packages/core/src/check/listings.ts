import { segmentDigests } from './listing-digest.ts';
import type { ReadSegment } from './segments.ts';

/** What one index segment says about a pack. */
export interface Listing {
  readonly segment: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly dataStart: number;
}

/** Adds what a segment says to what others do, by names of packs. */
export function addListings(listed: Map<string, Listing[]>, { name: segment, segment: content }: ReadSegment): void {
  for (const { pack, digest } of segmentDigests(content)) {
    const { name, sizeBytes, dataStart } = pack;
    const listing = { segment, digest, sizeBytes, dataStart };
    const known = listed.get(name);
    if (known === undefined) listed.set(name, [listing]);
    else known.push(listing);
  }
}
