import { littleWords } from '../codec/words.ts';
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

  /** @param words of what is read. @param id where the first four words of the chunk's id are. */
  add(
    words: Uint32Array,
    id: number,
    offset: number,
    stored: number,
    raw: number,
    session: number,
    type: number,
  ): void {
    let a = 0x9e37_79b9;
    let b = 0x7f4a_7c15;
    const mix = (word: number): void => {
      a = Math.imul(a ^ word, 0x85eb_ca6b);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, 0xc2b2_ae35);
      b ^= b >>> 13;
    };
    for (let i = id; i < id + 4; i++) mix(words[i] as number);
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
  const words = littleWords(header.records);
  const sum = new ListingSum();
  for (let at = 0; at < words.length; at += PACK_RECORD_BYTES / 4) {
    const first = words[at] as number;
    const stored = words[at + 2] as number;
    sum.add(words, at + 4, words[at + 1] as number, stored, words[at + 3] as number, first >>> 16, first & 0xff);
  }
  return sum.digest(header);
}

/** What a segment says about each of its packs. */
export function segmentDigests(segment: IndexSegment): { readonly pack: IndexedPack; readonly digest: string }[] {
  const { packs, records } = segment;
  const sums = packs.map(() => new ListingSum());
  const words = littleWords(records);
  for (let at = 0; at < words.length; at += RECORD_BYTES / 4) {
    const last = words[at + 8] as number;
    sums[words[at + 4] as number]?.add(
      words,
      at,
      words[at + 5] as number,
      words[at + 6] as number,
      words[at + 7] as number,
      last & 0xffff,
      last >>> 16,
    );
  }
  return packs.map((pack, i) => ({ pack, digest: (sums[i] as ListingSum).digest(pack) }));
}
