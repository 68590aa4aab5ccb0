import { CHUNK_TYPE, ChunkIds } from '../../../dist/crypto/chunk-crypto.js';
import { logName } from '../../../dist/ids.js';
import { nodeSuite, type Capabilities, type Random } from '../../../dist/index.js';
import { encodeSegment, type PackListing } from '../../../dist/index/segment.js';
import { encodeDecision, LOG_KIND_NUMBER } from '../../../dist/log/decision.js';
import { encodeLogFrame } from '../../../dist/log/entry.js';
import {
  decodePackHeader,
  encodePackHeader,
  PACK_RECORD_BYTES,
  readPackRecord,
  writePackRecord,
  type PackHeader,
} from '../../../dist/pack/layout.js';
import type { MemoryObject } from '../../../dist/stores/memory.js';

interface OpenedPack {
  readonly name: string;
  readonly object: Uint8Array;
  readonly header: PackHeader;
}

/** Puts objects that no honest client would, or that one left which died: straight into the store. */
export class Intruder {
  private readonly objects: Map<string, MemoryObject>;
  private readonly keys: Capabilities & { readonly loc: Uint8Array };
  private readonly random: Random;
  private readonly nowMs: () => number;

  constructor(objects: Map<string, MemoryObject>, keys: Capabilities, random: Random, nowMs: () => number) {
    if (keys.loc === undefined) throw new Error('an intruder has a key');
    this.objects = objects;
    this.keys = { ...keys, loc: keys.loc };
    this.random = random;
    this.nowMs = nowMs;
  }

  /**
   * A pack with the chunk of that content, sealed as it is in another pack, as an interrupted compaction leaves it. Its name.
   * @param junk random bytes in the place of the sealed ones.
   */
  copyOf(content: string, junk: boolean): string {
    const id = new ChunkIds(nodeSuite, this.keys).idOf(CHUNK_TYPE.data, Buffer.from(content));
    for (const { object, header } of this.packs()) {
      for (let i = 0; i < header.records.length / PACK_RECORD_BYTES; i++) {
        const record = readPackRecord(header.records, i);
        if (Buffer.compare(record.id, id) !== 0) continue;
        const start = header.dataStart + record.offset;
        const sealed = object.subarray(start, start + record.storedLength);
        const records = Buffer.alloc(PACK_RECORD_BYTES);
        writePackRecord(records, 0, { ...record, offset: 0 });
        return this.putPack({ ...header, records }, junk ? this.random.bytes(sealed.length) : sealed);
      }
    }
    throw new Error('no pack has that content');
  }

  /** Replaces the index by one that says packs of data hold nothing. Undone by what it returns. */
  hollowIndex(): () => void {
    const segments = [...this.objects].filter(([key]) => key.startsWith('index/'));
    for (const [key] of segments) this.objects.delete(key);
    const listings = this.packs().map(({ name, object, header }): PackListing => {
      const { kind, sessions, dataStart, records } = header;
      return {
        name,
        sizeBytes: object.length,
        kind,
        sessions,
        dataStart,
        records: kind === 1 ? Buffer.alloc(0) : records,
      };
    });
    const hollow = this.putSegment(listings);
    return () => {
      this.objects.delete(hollow);
      for (const [key, object] of segments) this.objects.set(key, object);
    };
  }

  /** Adds a segment that lists for every pack as many chunks as there are, and others. Undone by what it returns. */
  misleadingIndex(): () => void {
    const listings = this.packs().map(({ name, object, header }): PackListing => {
      const records = Buffer.from(header.records);
      for (let i = 0; i < records.length / PACK_RECORD_BYTES; i++) {
        writePackRecord(records, i, { ...readPackRecord(records, i), id: this.random.bytes(32) });
      }
      return { ...header, name, sizeBytes: object.length, records };
    });
    const misleading = this.putSegment(listings);
    return () => void this.objects.delete(misleading);
  }

  /** Appends the COMMIT of an archive that no key opens: where a server keeps the log, it takes that for a good one. */
  commitUnreadable(): void {
    const slots = [...this.objects.keys()].filter((key) => key.startsWith('log/')).toSorted();
    const head = this.objects.get(slots.at(-1) ?? '')?.body ?? new Uint8Array();
    const seq = slots.length + 1;
    const archive = Buffer.from(this.random.bytes(16)).toString('hex');
    const body = encodeLogFrame(nodeSuite, this.random, this.random.bytes(32), {
      kind: LOG_KIND_NUMBER.COMMIT,
      seq,
      previous: nodeSuite.sha256(head),
      timeNs: BigInt(this.nowMs()) * 1_000_000n,
      publicPart: encodeDecision({
        kind: 'COMMIT',
        archive,
        base: null,
        segments: [],
        rescuedPacks: [],
        rescuedSegments: [],
      }),
      sealedPart: Buffer.of(0x90),
    });
    this.objects.set(`log/${logName(seq)}`, { body, receivedMs: this.nowMs() });
  }

  private packs(): OpenedPack[] {
    return [...this.objects]
      .filter(([key]) => key.startsWith('packs/'))
      .map(([key, { body }]) => ({
        name: key.slice('packs/'.length),
        object: body,
        header: decodePackHeader(nodeSuite, this.keys, body, body.length, key),
      }));
  }

  private putPack({ kind, sessions, records }: PackHeader, sealed: Uint8Array): string {
    const head = encodePackHeader(nodeSuite, this.random, this.keys, { kind, sessions, records });
    const object = Buffer.concat([head, sealed]);
    const name = this.put('packs', object).slice('packs/'.length);
    this.putSegment([{ name, sizeBytes: object.length, kind, sessions, dataStart: head.length, records }]);
    return name;
  }

  private putSegment(listings: readonly PackListing[]): string {
    return this.put('index', encodeSegment(nodeSuite, this.random, this.keys, listings));
  }

  private put(kind: 'packs' | 'index', body: Uint8Array): string {
    const key = `${kind}/${Buffer.from(nodeSuite.sha256(body)).toString('hex')}`;
    this.objects.set(key, { body, receivedMs: this.nowMs() });
    return key;
  }
}
