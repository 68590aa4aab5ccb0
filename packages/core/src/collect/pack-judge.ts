import { isCairnError } from '../errors.ts';
import type { IndexLookup } from '../index/index-lookup.ts';
import { PACK_RECORD_BYTES, readPackRecord, type PackHeader } from '../pack/layout.ts';
import { readPackHeader } from '../pack/read-header.ts';
import type { Survey } from './survey.ts';

/** What a pack's own header says about who needs it. */
export type Verdict = 'dead' | 'needed' | 'damaged' | 'gone';

/**
 * Judges packs by their own headers (rule R8), never by what an index says or does not say of them, and remembers enough to
 * notice when a chunk of a judged pack becomes live.
 */
export class PackJudge {
  private readonly survey: Survey;
  /** Half ids of the chunks of packs of which the index does not list all. */
  private readonly halves = new Map<string, Buffer>();

  constructor(survey: Survey) {
    this.survey = survey;
  }

  /**
   * Whether any chunk of a pack is live. Reads the header.
   * @param pack position in the index, if it is there.
   */
  async judge(name: string, sizeBytes: number, pack: number | undefined): Promise<Verdict> {
    const { index, packAccess } = this.survey;
    const dataStart = pack === undefined ? undefined : index.packs[pack]?.dataStart;
    try {
      const header = await readPackHeader(packAccess, name, sizeBytes, dataStart);
      this.remember(name, header, pack);
      return pack === undefined ? this.judgeUnlisted(header) : this.judgeListed(header);
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING')) return 'gone';
      if (isCairnError(error, 'CORRUPT') || isCairnError(error, 'FORMAT_UNSUPPORTED')) return 'damaged';
      throw error;
    }
  }

  /** To be called with the header of every pack that may be condemned. */
  remember(name: string, { records }: PackHeader, pack: number | undefined): void {
    if (pack !== undefined && this.listsAll(records, pack)) return;
    const halves = Buffer.alloc((records.length / PACK_RECORD_BYTES) * 17);
    for (let at = 0, to = 0; at < records.length; at += PACK_RECORD_BYTES, to += 17) {
      halves[to] = records[at] as number;
      records.copy(halves, to + 1, at + 16, at + 32);
    }
    this.halves.set(name, halves);
  }

  /** Whether a chunk of the pack became live since it was judged, as far as can be told without reading it again. */
  isStale(name: string, pack: number | undefined): boolean {
    const { live } = this.survey;
    if (pack !== undefined && live.isTouched(pack)) return true;
    // Its segment turned up: it is no longer one that nobody could have used.
    if (pack === undefined && this.survey.isListedLater(name)) return true;
    const halves = this.halves.get(name);
    if (halves === undefined) return false;
    for (let at = 0; at < halves.length; at += 17) {
      const id = halves.subarray(at + 1, at + 17);
      if (pack === undefined ? live.isUnlisted(id) : live.isLive(halves[at] as 1 | 2 | 3, id)) return true;
    }
    return false;
  }

  private listsAll(records: Buffer, pack: number): boolean {
    const { lookup } = this.survey.live;
    for (let at = 0; at < records.length; at += PACK_RECORD_BYTES) {
      if (!isListed(lookup, records.subarray(at + 16, at + 32), pack)) return false;
    }
    return true;
  }

  private judgeListed({ records }: PackHeader): Verdict {
    for (let i = 0; i < records.length / PACK_RECORD_BYTES; i++) {
      const { type, id } = readPackRecord(records, i);
      if (this.survey.live.isLive(type, id)) return 'needed';
    }
    return 'dead';
  }

  /**
   * Of a pack that no segment lists no archive can have a chunk, but one whose segment was lost. Copies that it has of
   * chunks which are listed elsewhere were never used: no reader would find them.
   */
  private judgeUnlisted({ records }: PackHeader): Verdict {
    for (let at = 0; at < records.length; at += PACK_RECORD_BYTES) {
      if (this.survey.live.isUnlisted(records.subarray(at + 16, at + 48))) return 'needed';
    }
    return 'dead';
  }
}

function isListed(lookup: IndexLookup, half: Uint8Array, pack: number): boolean {
  for (let at = lookup.find(half); at !== -1; at = lookup.find(half, at)) if (lookup.packAt(at) === pack) return true;
  return false;
}
