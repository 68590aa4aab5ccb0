import { isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { encodeSegment, listingBytes, type PackListing } from '../index/segment.ts';
import { putSegment } from '../index/put-segment.ts';
import { asBuffer } from '../codec/as-buffer.ts';
import { PackBuilder } from '../pack/builder.ts';
import { putByHash } from '../repository/put-by-hash.ts';
import { decodePackHeader, PACK_KIND, PACK_RECORD_BYTES, readPackRecord, type PackHeader } from '../pack/layout.ts';
import type { Leaving } from './condemn.ts';
import type { PackJudge } from './pack-judge.ts';
import { isSameSession } from './pack-sums.ts';
import type { Survey } from './survey.ts';

/** A segment is put, and what was moved is condemned, when the listings of so many bytes have gathered … */
const BATCH_LISTING_BYTES = 4 * 1024 * 1024;
/** … or so many bytes were copied: an interrupted run has to compare, not to copy, what it did before. */
const BATCH_COPIED_BYTES = 1024 * 1024 * 1024;

/** What was moved, and the segment that lists the copies. */
export interface Moved {
  readonly packs: readonly Leaving[];
  /** Undefined when everything live was found elsewhere. */
  readonly segment: string | undefined;
}

/** Packs of one kind under construction, and from which packs the chunks in them come. */
interface Filling {
  readonly builder: PackBuilder;
  readonly from: Set<string>;
}

/**
 * Moves the live chunks of packs into new packs, sealed as they are: no content is opened. A chunk is copied from the very pack
 * that is to go, or found byte for byte the same in a pack that stays, so that it does not matter which of several copies
 * somebody made badly or in bad faith (rule R8).
 */
export class Repacker {
  private readonly survey: Survey;
  private readonly judge: PackJudge;
  /** Whether a pack of the index will stay, so that copies in it count. */
  private readonly stays: (pack: number) => boolean;
  private readonly filling: { readonly data: Filling; readonly tree: Filling };
  private listings: PackListing[] = [];
  private leaving = new Map<string, Omit<Leaving, 'copiesIn'>>();
  private copies = new Map<string, Set<string>>();
  private batchBytes = 0;
  /** Sealed bytes that were copied. */
  copiedBytes = 0;

  constructor(survey: Survey, judge: PackJudge, stays: (pack: number) => boolean) {
    this.survey = survey;
    this.judge = judge;
    this.stays = stays;
    const { suite, environment } = survey.access;
    const { keys } = survey.packAccess;
    const filling = (kind: 1 | 2): Filling => ({
      builder: new PackBuilder(suite, environment.random, keys, kind),
      from: new Set(),
    });
    this.filling = { data: filling(PACK_KIND.data), tree: filling(PACK_KIND.tree) };
  }

  /** True when `finish` should be called, so that little is lost when the run ends. */
  get isBatchFull(): boolean {
    const gathered = this.listings.reduce((sum, listing) => sum + listingBytes(listing), 0);
    return gathered >= BATCH_LISTING_BYTES || this.batchBytes >= BATCH_COPIED_BYTES;
  }

  /**
   * Moves what is live in that pack of the index. False when it is damaged or gone, and must be left as it is: a copy of
   * damage would look sound.
   */
  async move(pack: number): Promise<boolean> {
    const { index, access, packAccess } = this.survey;
    const name = index.packs[pack]?.name ?? '';
    let object: Uint8Array;
    let header: PackHeader;
    try {
      object = await access.store.get({ kind: 'packs', name });
      if (toHex(access.suite.sha256(object)) !== name) return false;
      header = decodePackHeader(access.suite, packAccess.keys, object, object.length, `pack ${name}`);
    } catch (error) {
      if (isCairnError(error, 'OBJECT_MISSING') || isCairnError(error, 'CORRUPT')) return false;
      throw error;
    }
    this.judge.remember(name, header, pack);
    this.leaving.set(name, { name, pack, sizeBytes: object.length });
    const copies = new Set<string>();
    this.copies.set(name, copies);
    const filling = header.kind === PACK_KIND.data ? this.filling.data : this.filling.tree;
    for (let i = 0; i < header.records.length / PACK_RECORD_BYTES; i++) {
      const record = readPackRecord(header.records, i);
      if (!this.survey.live.isLive(record.type, record.id)) continue;
      const start = header.dataStart + record.offset;
      const sealed = object.subarray(start, start + record.storedLength);
      const twin = await this.twin(header, i, sealed, pack);
      if (twin === undefined) await this.copy(filling, name, header, i, sealed);
      else copies.add(twin);
    }
    return true;
  }

  /** Puts what is being filled, and then a segment that lists it (rule R3). Resolves to what was moved since the last call. */
  async finish(): Promise<Moved> {
    for (const filling of [this.filling.data, this.filling.tree]) {
      if (!filling.builder.empty) await this.put(filling, true);
    }
    const segment = await this.list();
    const packs = [...this.leaving.values()].map((leaving) => ({
      ...leaving,
      copiesIn: [...(this.copies.get(leaving.name) ?? [])],
    }));
    this.leaving = new Map();
    this.copies = new Map();
    this.batchBytes = 0;
    return { packs, segment };
  }

  /** After a failure: lists the copies that are durable, as far as the store allows, so that the next run finds them. */
  async listDurable(): Promise<void> {
    // What failed first tells more than that this failed, too.
    await Promise.allSettled([this.list()]);
  }

  private async list(): Promise<string | undefined> {
    const { listings } = this;
    if (listings.length === 0) return undefined;
    const { access, packAccess } = this.survey;
    const name = await putSegment(
      access,
      encodeSegment(access.suite, access.environment.random, packAccess.keys, listings),
    );
    this.listings = [];
    return name;
  }

  /** Name of a pack that stays and has the very same sealed chunk, if there is one. */
  private async twin(
    { records, sessions }: PackHeader,
    i: number,
    sealed: Uint8Array,
    pack: number,
  ): Promise<string | undefined> {
    const { index, live, access } = this.survey;
    const { type, id, session, storedLength } = readPackRecord(records, i);
    for (let at = live.lookup.find(id); at !== -1; at = live.lookup.find(id, at)) {
      const place = live.lookup.place(at);
      const other = index.packs[place.pack];
      if (other === undefined || place.pack === pack || place.type !== type || !this.stays(place.pack)) continue;
      if (place.storedLength !== storedLength) continue;
      if (!isSameSession(sessions[session], other.sessions[place.session])) continue;
      const range = { offset: place.offset, length: storedLength };
      try {
        const bytes = await access.store.get({ kind: 'packs', name: other.name }, { range });
        if (Buffer.compare(bytes, sealed) === 0) return other.name;
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING')) throw error;
      }
    }
    return undefined;
  }

  private async copy(
    filling: Filling,
    name: string,
    { records, sessions }: PackHeader,
    i: number,
    sealed: Uint8Array,
  ): Promise<void> {
    const { type, id, rawLength, session } = readPackRecord(records, i);
    filling.builder.reserve(type, new Uint8Array(id), rawLength, sealed.length, sessions[session]).set(sealed);
    filling.from.add(name);
    this.copiedBytes += sealed.length;
    this.batchBytes += sealed.length;
    if (filling.builder.full) await this.put(filling, false);
  }

  private async put({ builder, from }: Filling, last: boolean): Promise<void> {
    const { name, object, kind, dataStart, sessions, records } = builder.finish(last);
    await putByHash(this.survey.access.store, 'packs', name, object);
    this.listings.push({ name, sizeBytes: object.length, kind, dataStart, sessions, records: asBuffer(records) });
    builder.recycle(object.buffer as ArrayBuffer);
    for (const source of from) this.copies.get(source)?.add(name);
    from.clear();
  }
}
