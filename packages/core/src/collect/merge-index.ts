import { putSegment } from '../index/put-segment.ts';
import { readSegments, type StoredSegment } from '../index/load.ts';
import { RECORD_BYTES, sealSegment, type IndexedPack, type IndexSegment } from '../index/segment.ts';
import type { LeavingSegment } from './condemn.ts';
import { findRedundant, type Redundant } from './redundant.ts';
import type { Survey, SurveyedSegment } from './survey.ts';

/** Segments below this size are merged … */
const SMALL_BYTES = 1024 * 1024;
/** … when there are so many of them: each is a read for whoever loads the index. */
const MOST_SMALL = 16;
/** A segment is written again when more than this share of its records is about swept packs. */
const MOST_SWEPT = 1 / 3;
/** A merged segment is closed when it has so many bytes: the same as those of a long backup. */
const MERGED_BYTES = 4 * 1024 * 1024;

/** What is done about which segments. */
export interface Merging {
  /** These are better merged. */
  readonly segments: readonly SurveyedSegment[];
  /** These list nothing that is left, or a repair found that they cannot be used; they need not be written again. */
  readonly empty: readonly StoredSegment[];
  /** What these list others seem to list, too. */
  readonly redundant: readonly Redundant[];
}

/** @param isSettled whether nobody can be in the middle of writing the archive that a segment was made for. */
export function chooseMerging(survey: Survey, isSettled: (segment: SurveyedSegment) => boolean): Merging {
  const { condemnedSegments } = survey.access.log.state;
  const redundant = findRedundant(survey, isSettled);
  const goes = new Set(redundant.map(({ segment }) => segment));
  const settled = survey.segments.filter((segment) => {
    return !condemnedSegments.has(segment.name) && isSettled(segment) && !goes.has(segment);
  });
  const empty = [...settled.filter(({ packs }) => packs.length === 0), ...uselessSegments(survey)];
  const small = settled.filter(({ packs, sizeBytes }) => packs.length > 0 && sizeBytes < SMALL_BYTES);
  const swept = settled.filter(({ packs, sweptShare }) => packs.length > 0 && sweptShare > MOST_SWEPT);
  return { segments: small.length >= MOST_SMALL ? [...new Set([...small, ...swept])] : swept, empty, redundant };
}

/**
 * Segments that a repair noted as lost and that are in the store: nobody reads them any more. As long as an archive needs
 * something that no segment lists, they stay (rule R8: what cannot be resolved).
 */
function uselessSegments({ givenUp, live, lostSegments, access }: Survey): StoredSegment[] {
  const { condemnedSegments } = access.log.state;
  if (live.unlistedCount + lostSegments > 0) return [];
  return givenUp.filter(({ name }) => !condemnedSegments.has(name));
}

/** What is gathered for one merged segment. */
class Gathering {
  private readonly packs: IndexedPack[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly records: Buffer[] = [];
  readonly from: string[] = [];
  bytes = 0;

  /** Takes all that a segment says of packs that are not swept: condemned ones are among them, for they may be rescued (R10). */
  add(segment: IndexSegment, { name }: StoredSegment, swept: ReadonlySet<string>): void {
    const numbers = segment.packs.map((pack) => (swept.has(pack.name) ? -1 : this.numberOf(pack)));
    const records = Buffer.allocUnsafe(segment.records.length);
    let to = 0;
    for (let at = 0; at < segment.records.length; at += RECORD_BYTES) {
      const number = numbers[segment.records.readUInt32LE(at + 16)] ?? -1;
      if (number === -1) continue;
      segment.records.copy(records, to, at, at + RECORD_BYTES);
      records.writeUInt32LE(number, to + 16);
      to += RECORD_BYTES;
    }
    this.records.push(records.subarray(0, to));
    this.bytes += to;
    this.from.push(name);
  }

  get segment(): IndexSegment {
    return { packs: this.packs, records: Buffer.concat(this.records) };
  }

  private numberOf(pack: IndexedPack): number {
    const key = [pack.name, pack.sizeBytes, pack.dataStart, pack.kind, ...pack.sessions.map(sessionKey)].join();
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    this.packs.push(pack);
    this.numbers.set(key, this.packs.length - 1);
    this.bytes += 48 + 48 * pack.sessions.length;
    return this.packs.length - 1;
  }
}

function sessionKey({ sid, epk }: IndexedPack['sessions'][number]): string {
  return Buffer.concat([sid, epk]).toString('latin1');
}

/**
 * Writes what the given segments list into new ones. Resolves, once these are durable, to the old ones, each with the new one
 * that lists the same (rule R10); one that vanished meanwhile is left out.
 */
export async function mergeSegments(survey: Survey, segments: readonly StoredSegment[]): Promise<LeavingSegment[]> {
  const { access, packAccess } = survey;
  const { suite, environment, log } = access;
  let gathering = new Gathering();
  const leaving: LeavingSegment[] = [];
  const write = async (): Promise<void> => {
    if (gathering.from.length === 0) return;
    const object = sealSegment(suite, environment.random, packAccess.keys, gathering.segment);
    const coveredBy = await putSegment(access, object);
    leaving.push(...gathering.from.map((name) => ({ name, coveredBy: [coveredBy] })));
    gathering = new Gathering();
  };
  for (const stored of segments) {
    if (gathering.bytes + stored.sizeBytes > 2 * MERGED_BYTES) await write();
    await readSegments(access, [stored], (segment, of) => gathering.add(segment, of, log.state.sweptPacks));
    if (gathering.bytes >= MERGED_BYTES) await write();
  }
  await write();
  return leaving;
}
