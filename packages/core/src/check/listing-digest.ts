import type { SessionPublic } from '../crypto/chunk-crypto.ts';
import type { IndexedPack, IndexSegment } from '../index/segment.ts';
import { RECORD_BYTES } from '../index/segment.ts';
import { PACK_RECORD_BYTES, type PackHeader } from '../pack/layout.ts';

/**
 * A number for what a pack holds that does not depend on the order of its chunks, so that what an index segment says can be
 * compared with the pack's own header without sorting or keeping either. Both are authenticated, so this need only tell
 * mistakes apart, not attacks: two 32-bit sums of mixed records.
 */
class ListingSum {
  private count = 0;
  private a = 0;
  private b = 0;

  /** @param id where the first 16 bytes of the chunk's id are. */
  add(records: Buffer, id: number, offset: number, stored: number, raw: number, session: number, type: number): void {
    let a = 0x9e37_79b9;
    let b = 0x7f4a_7c15;
    const mix = (word: number): void => {
      a = Math.imul(a ^ word, 0x85eb_ca6b);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, 0xc2b2_ae35);
      b ^= b >>> 13;
    };
    for (let i = 0; i < 16; i += 4) mix(records.readInt32LE(id + i));
    mix(offset);
    mix(stored);
    mix(raw);
    mix((session << 8) | type);
    this.a = (this.a + a) | 0;
    this.b = (this.b + b) | 0;
    this.count += 1;
  }

  digest({ kind, dataStart, sessions }: Pick<PackHeader, 'kind' | 'dataStart' | 'sessions'>): string {
    return [kind, dataStart, this.count, this.a >>> 0, this.b >>> 0, sessionSum(sessions)].join(' ');
  }
}

function sessionSum(sessions: readonly SessionPublic[]): string {
  let sum = 0x811c_9dc5;
  for (const { sid, epk } of sessions) {
    for (const bytes of [sid, epk]) for (const byte of bytes) sum = Math.imul(sum ^ byte, 0x0100_0193);
  }
  return `${sessions.length}:${sum >>> 0}`;
}

/** What a pack's header says. */
export function headerDigest(header: PackHeader): string {
  const { records } = header;
  const sum = new ListingSum();
  for (let at = 0; at < records.length; at += PACK_RECORD_BYTES) {
    const [offset, stored, raw] = [at + 4, at + 8, at + 12].map((field) => records.readUInt32LE(field));
    sum.add(
      records,
      at + 16,
      offset as number,
      stored as number,
      raw as number,
      records.readUInt16LE(at + 2),
      records[at] as number,
    );
  }
  return sum.digest(header);
}

/** What a segment says about each of its packs. */
export function segmentDigests(segment: IndexSegment): { readonly pack: IndexedPack; readonly digest: string }[] {
  const { packs, records } = segment;
  const sums = packs.map(() => new ListingSum());
  for (let at = 0; at < records.length; at += RECORD_BYTES) {
    sums[records.readUInt32LE(at + 16)]?.add(
      records,
      at,
      records.readUInt32LE(at + 20),
      records.readUInt32LE(at + 24),
      records.readUInt32LE(at + 28),
      records.readUInt16LE(at + 32),
      records[at + 34] as number,
    );
  }
  return packs.map((pack, i) => ({ pack, digest: (sums[i] as ListingSum).digest(pack) }));
}
