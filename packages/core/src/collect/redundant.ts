import { readSegments } from '../index/load.ts';
import { RECORD_BYTES, type IndexedPack, type IndexSegment } from '../index/segment.ts';
import { toHex } from '../ids.ts';
import type { LeavingSegment } from './condemn.ts';
import type { Survey, SurveyedSegment } from './survey.ts';

/** A segment of which others seem to say all that it says, so that it may go (rule R10). */
export interface Redundant {
  readonly segment: SurveyedSegment;
  /** Names of those others: they stay. */
  readonly coveredBy: readonly string[];
}

/**
 * Segments whose packs are all listed by others, with as many chunks: what a collector leaves that died after it had put a merged
 * segment, and when two collectors merged at once. The smallest go first, and no two for the sake of each other.
 * @param may whether a segment may go.
 */
export function findRedundant(survey: Survey, may: (segment: SurveyedSegment) => boolean): Redundant[] {
  const { condemnedSegments } = survey.access.log.state;
  const staying = survey.segments.filter(({ name }) => !condemnedSegments.has(name));
  const listings = new Uint16Array(survey.index.packs.length);
  for (const { packs } of staying) for (const pack of packs) listings[pack] = (listings[pack] as number) + 1;
  const isRepeated = ({ packs }: SurveyedSegment): boolean =>
    packs.length > 0 && packs.every((pack) => (listings[pack] as number) > 1);
  const candidates = staying.filter((segment) => isRepeated(segment) && may(segment));
  if (candidates.length === 0) return [];
  const holders = holdersOf(staying, new Set(candidates.flatMap(({ packs }) => [...packs])));
  const leaving = new Set<string>();
  const found: Redundant[] = [];
  for (const segment of candidates.toSorted((a, b) => a.sizeBytes - b.sizeBytes || (a.name < b.name ? -1 : 1))) {
    const coveredBy = new Set<string>();
    const isCovered = [...segment.packs].every((pack, i) => {
      const other = holders.get(pack)?.find(({ name, count }) => {
        return name !== segment.name && count === segment.counts[i] && !leaving.has(name);
      });
      if (other !== undefined) coveredBy.add(other.name);
      return other !== undefined;
    });
    if (!isCovered) continue;
    leaving.add(segment.name);
    found.push({ segment, coveredBy: [...coveredBy] });
  }
  return found;
}

interface Holder {
  readonly name: string;
  /** Records that it has for the pack. */
  readonly count: number;
}

function holdersOf(segments: readonly SurveyedSegment[], wanted: ReadonlySet<number>): Map<number, Holder[]> {
  const holders = new Map<number, Holder[]>();
  for (const { name, packs, counts } of segments) {
    for (const [i, pack] of packs.entries()) {
      if (!wanted.has(pack)) continue;
      const holder = { name, count: counts[i] as number };
      const known = holders.get(pack);
      if (known === undefined) holders.set(pack, [holder]);
      else known.push(holder);
    }
  }
  return holders;
}

/**
 * Those of which the others say all, record by record: somebody may have listed something else of as many chunks. Reads them and
 * the others once more. Rejects like a read of the index.
 */
export async function confirmRedundant(survey: Survey, found: readonly Redundant[]): Promise<LeavingSegment[]> {
  const confirmed: LeavingSegment[] = [];
  for (const { segment, coveredBy } of found) {
    const said = new Map<string, string>();
    await eachListing(survey, segment.name, (pack, listing) => said.set(pack, listing));
    const isThere = said.size > 0;
    for (const other of coveredBy) {
      await eachListing(survey, other, (pack, listing) => {
        if (said.get(pack) === listing) said.delete(pack);
      });
    }
    if (isThere && said.size === 0) confirmed.push({ name: segment.name, coveredBy });
  }
  return confirmed;
}

/** Gives for each pack of a segment that is not swept a hash of all that the segment says of it; nothing when it vanished. */
async function eachListing(survey: Survey, name: string, take: (pack: string, listing: string) => void): Promise<void> {
  const { access, segments } = survey;
  const { sweptPacks } = access.log.state;
  const stored = segments.filter((segment) => segment.name === name);
  await readSegments(access, stored, (segment) => {
    const recordsOf = recordsByPack(segment);
    for (const [number, pack] of segment.packs.entries()) {
      if (sweptPacks.has(pack.name)) continue;
      const about = [describe(pack), ...pack.sessions.flatMap(({ sid, epk }) => [sid, epk])];
      take(pack.name, toHex(access.suite.sha256(...about, recordsOf[number] ?? Buffer.alloc(0))));
    }
  });
}

function describe({ name, sizeBytes, dataStart, kind }: IndexedPack): Buffer {
  return Buffer.from(JSON.stringify([name, sizeBytes, dataStart, kind]));
}

/** The records of each pack, in the segment's order, which is the same in all; without the number of the pack. */
function recordsByPack({ packs, records }: IndexSegment): Buffer[] {
  const counts = new Uint32Array(packs.length);
  for (let at = 16; at < records.length; at += RECORD_BYTES) {
    const pack = records.readUInt32LE(at);
    counts[pack] = (counts[pack] as number) + 1;
  }
  const byPack = Array.from(counts, (count) => Buffer.allocUnsafe(count * RECORD_BYTES));
  const filled = new Uint32Array(packs.length);
  for (let at = 0; at < records.length; at += RECORD_BYTES) {
    const pack = records.readUInt32LE(at + 16);
    const to = byPack[pack] as Buffer;
    const start = filled[pack] as number;
    records.copy(to, start, at, at + RECORD_BYTES);
    to.writeUInt32LE(0, start + 16);
    filled[pack] = start + RECORD_BYTES;
  }
  return byPack;
}
