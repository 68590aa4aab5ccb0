import { asBuffer } from '../codec/as-buffer.ts';
import { encodeSegment, listingBytes, type PackListing } from '../index/segment.ts';
import { putSegment } from '../index/put-segment.ts';
import type { BuiltPack } from '../pack/builder.ts';
import type { CallOptions } from '../ports/object-store.ts';
import type { RepositoryAccess } from '../repository/access.ts';
import { putByHash } from '../repository/put-by-hash.ts';

/** A segment is put when the listings of so many bytes have gathered … */
const SEGMENT_BYTES = 4 * 1024 * 1024;
/** … or so many milliseconds passed since the last: an interrupted run resumes from what its segments list. */
const SEGMENT_MS = 180_000;

/** Puts packs and, once they are durable (rule W1), the index segments that list them. */
export class PackUploader {
  private readonly access: RepositoryAccess;
  private readonly calls: CallOptions;
  private readonly loc: Uint8Array;
  private listings: PackListing[] = [];
  private gathered = 0;
  private lastSegmentMs: number;
  private readonly putPacks: string[] = [];
  private readonly putSegments: string[] = [];
  private readonly running = new Set<Promise<void>>();

  /**
   * @param signal stops packs that are on their way to a store that is far away, or slowed down, which may take minutes; files of
   * this machine are there soon.
   */
  constructor(access: RepositoryAccess, signal?: AbortSignal) {
    this.access = access;
    this.calls = signal === undefined || access.store.localFile !== undefined ? {} : { signal };
    this.loc = access.secret('loc', 'back up');
    this.lastSegmentMs = access.environment.clock.monotonicMs();
  }

  /** Names of the packs and segments that this run put. */
  get packs(): readonly string[] {
    return this.putPacks;
  }

  get segments(): readonly string[] {
    return this.putSegments;
  }

  /** Resolves when the pack is durable. */
  async put(pack: BuiltPack): Promise<void> {
    const putting = this.putPack(pack);
    this.running.add(putting);
    try {
      await putting;
    } finally {
      this.running.delete(putting);
    }
  }

  /** After a failure: lists the packs that are durable, as far as the store allows, so that the next run finds them. */
  async listDurable(): Promise<void> {
    await Promise.allSettled(this.running);
    // What failed first tells more than that this failed, too.
    await Promise.allSettled([this.putSegment()]);
  }

  private async putPack(pack: BuiltPack): Promise<void> {
    await putByHash(this.access.store, 'packs', pack.name, pack.object, this.calls);
    this.putPacks.push(pack.name);
    const { name, kind, dataStart, sessions, records } = pack;
    await this.list({ name, sizeBytes: pack.object.length, kind, dataStart, sessions, records: asBuffer(records) });
  }

  /** Lists a pack that is durable (rule R3). */
  async list(listing: PackListing): Promise<void> {
    this.listings.push(listing);
    this.gathered += listingBytes(listing);
    const age = this.access.environment.clock.monotonicMs() - this.lastSegmentMs;
    if (this.gathered >= SEGMENT_BYTES || age >= SEGMENT_MS) await this.putSegment();
  }

  /** Puts a segment of every pack that none lists yet. */
  async putSegment(): Promise<void> {
    const listings = this.listings;
    if (listings.length === 0) return;
    this.listings = [];
    this.gathered = 0;
    this.lastSegmentMs = this.access.environment.clock.monotonicMs();
    const { suite, environment, config } = this.access;
    const object = encodeSegment(suite, environment.random, { repo: config.repo, loc: this.loc }, listings);
    try {
      this.putSegments.push(await putSegment(this.access, object));
    } catch (error) {
      this.listings = [...listings, ...this.listings];
      throw error;
    }
  }
}
