import type { ChunkType } from '../crypto/chunk-crypto.ts';
import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import { ChunkIndex, ChunkIndexBuilder } from '../index/chunk-index.ts';
import { ChunkReader } from '../pack/chunk-reader.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { isDamaged } from '../log/damage.ts';
import type { CheckContext } from './context.ts';
import type { Finding } from './finding.ts';
import { Holdings, PACK_STATE, PackMarks, type ChunkJudgement } from './holdings.ts';
import { addListings, type Listing } from './listings.ts';
import { readSegments } from './segments.ts';
import { readUnlistedPacks } from './unlisted-packs.ts';

const DAMAGED_HINT =
  'Run `cairn repair`, or copy the pack from another copy of the store. Findings about paths tell what is lost without it.';
const NOTED_HINT = 'Nothing to do: the next backup of the same files stores again what is missing.';

/** Holdings, and a reader of the chunks in them. */
interface Stock {
  readonly holdings: Holdings;
  readonly reader: ChunkReader;
}

/** What is in the store, compared with what index and log say. Gives the chunks of trees to a walk. */
export class Inventory implements ChunkSource {
  private readonly context: CheckContext;
  private readonly opener: ChunkOpener;
  private readonly marks = new PackMarks();
  /** Sizes of the packs in the store that the log has not swept. */
  private present = new Map<string, number>();
  /** What the index says of each pack that it lists. */
  private listed = new Map<string, readonly Listing[]>();
  private stock: Stock;
  private unlisted: Stock | undefined;
  private logSeq = 0;
  /** Packs of which it was told that no segment lists them. */
  private readonly toldNotListed = new Set<string>();
  /** Index segments that could be read. */
  segmentCount = 0;

  private constructor(context: CheckContext, opener: ChunkOpener) {
    this.context = context;
    this.opener = opener;
    this.stock = this.makeStock(ChunkIndex.build([], new Set()));
  }

  /** Reads the index and lists the packs. Rejects only when the store cannot be read. */
  static async take(context: CheckContext): Promise<Inventory> {
    const { suite, keys } = context.access;
    const inventory = new Inventory(context, new ChunkOpener(suite, await context.access.zstd(), keys));
    await inventory.load();
    return inventory;
  }

  /** Packs in the store that the log has not swept, and their sizes in bytes. */
  get packs(): ReadonlyMap<string, number> {
    return this.present;
  }

  /** Where the first chunk of a pack begins as the index says, if it lists the pack. */
  dataStart(name: string): number | undefined {
    return this.listed.get(name)?.[0]?.dataStart;
  }

  /**
   * To be called before anything is said to be missing, damaged or about to go: looks at everything again when the log has
   * grown since that was done. True when it did: a collector may have moved what was looked for (rule R12).
   */
  async catchUp(): Promise<boolean> {
    const { log } = this.context.access;
    await log.refresh();
    if (log.seq === this.logSeq) return false;
    this.unlisted = undefined;
    // The old index goes first: two of them take too much memory.
    this.stock = this.makeStock(ChunkIndex.build([], new Set()));
    await this.load();
    return true;
  }

  private async load(): Promise<void> {
    const { access } = this.context;
    this.logSeq = access.log.seq;
    const { sweptPacks, damage } = access.log.state;
    let builder = new ChunkIndexBuilder(0, sweptPacks, new Set(), damage.packs);
    let listed = new Map<string, Listing[]>();
    await readSegments(this.context, (mostRecords) => {
      listed = new Map();
      this.segmentCount = 0;
      builder = new ChunkIndexBuilder(mostRecords, sweptPacks, new Set(), damage.packs);
      return (read) => {
        this.segmentCount += 1;
        addListings(listed, read);
        builder.add(read.segment);
      };
    });
    this.listed = listed;
    await this.listPacks();
    const index = builder.finish();
    this.compareNames();
    this.stock = this.makeStock(index);
  }

  private async listPacks(): Promise<void> {
    this.present = new Map();
    const { access, store, findings } = this.context;
    const stored = new Map<string, number>();
    for await (const { name, sizeBytes } of store.list('packs')) stored.set(name, sizeBytes);
    // A pack that the index lists may have been swept since the index was read: ask the log once more.
    if ([...this.listed.keys()].some((name) => !stored.has(name))) await access.log.refresh();
    for (const [name, sizeBytes] of stored) {
      if (!access.log.state.sweptPacks.has(name)) this.present.set(name, sizeBytes);
      else {
        findings.add('swept-object', {
          object: `packs/${name}`,
          message: 'this pack was given up, and is still in the store',
          hint: 'Nothing needs it; `cairn compact` removes it.',
        });
      }
    }
  }

  private compareNames(): void {
    const { access, findings } = this.context;
    for (const [name, listings] of this.listed) {
      if (access.log.state.sweptPacks.has(name)) continue;
      const found = this.present.get(name);
      const otherSize = listings.filter(({ sizeBytes }) => sizeBytes !== found);
      if (found === undefined) {
        this.tell(name, 'pack-missing', 'all', {
          message: 'this pack is not in the store',
          hint: 'Copy it from another copy of the store, or run `cairn repair`. Findings about paths tell what is lost without it.',
        });
      } else if (otherSize.length === listings.length) {
        this.damagedPack(name, `it has ${found} bytes, and ${otherSize[0]?.sizeBytes} were stored`);
      } else for (const listing of otherSize) this.wrongListing(name, listing);
    }
    for (const name of this.present.keys()) {
      if (this.listed.has(name)) continue;
      findings.add('unindexed-pack', {
        object: `packs/${name}`,
        message: 'no index segment lists this pack: a backup is under way, or was interrupted',
        hint: 'Nothing to do; `cairn compact` removes what stays unused.',
      });
    }
  }

  private makeStock(index: ChunkIndex): Stock {
    const { access, store } = this.context;
    const { condemnedPacks } = access.log.state;
    const holdings = new Holdings(index, this.marks, (name) => {
      if (!this.present.has(name)) return PACK_STATE.absent;
      return condemnedPacks.has(name) ? PACK_STATE.condemned : PACK_STATE.sound;
    });
    const reading = { store, log: access.log, reloadIndex: () => Promise.resolve(index) };
    return { holdings, reader: new ChunkReader(reading, this.opener, index) };
  }

  /** Tells of a pack whose bytes are wrong in a place that is not known. */
  damagedPack(name: string, how: string): void {
    this.marks.suspect.add(name);
    this.tell(name, 'pack-damaged', 'all', { message: `this pack is damaged: ${how}`, hint: DAMAGED_HINT });
  }

  /** Tells of a pack whose bytes are not those that were stored, and of which every chunk can be opened. */
  alteredPack(name: string): void {
    this.tell(name, 'pack-damaged', 'all', {
      message: 'the bytes of this pack are not those that were stored, yet each chunk in it can be opened',
      hint: 'Nothing is lost. Run `cairn repair`, or copy the pack from another copy of the store if there is one.',
    });
  }

  /** Tells of a pack with damaged chunks, which lie at `offsets` from the start of the object. */
  damagedChunks(name: string, offsets: readonly number[]): void {
    this.marks.damaged.set(name, new Set(offsets));
    const message = `this pack is damaged: ${offsets.length} of its chunks cannot be opened`;
    this.tell(name, 'pack-damaged', offsets, { message, hint: DAMAGED_HINT });
  }

  /** Damage at these places of a pack: an error, unless the log knows of it. */
  private tell(
    name: string,
    code: 'pack-damaged' | 'pack-missing',
    places: readonly number[] | 'all',
    finding: Pick<Finding, 'message' | 'hint'>,
  ): void {
    const { access, findings } = this.context;
    const noted = access.log.state.damage.packs.get(name);
    const known = places === 'all' ? noted === 'all' : places.every((place) => isDamaged(noted, place));
    const object = `packs/${name}`;
    if (known) {
      const message = `${finding.message}; that was noted, and nothing relies on it any more`;
      findings.add('damage-noted', { object, message, hint: NOTED_HINT });
    } else findings.add(code, { object, ...finding });
  }

  /** Takes note of a pack that was read wholly: what the log noted about it counts no more. */
  readWholly(name: string): void {
    this.marks.read.add(name);
  }

  /** True when every segment that lists the pack says of it what the pack's own header does. */
  agrees(name: string, digest: string): boolean {
    return (this.listed.get(name) ?? []).every((listing) => listing.digest === digest);
  }

  /** Tells of segments that contradict a pack's own header. */
  contradiction(name: string, digest: string): void {
    for (const listing of this.listed.get(name) ?? []) if (listing.digest !== digest) this.wrongListing(name, listing);
  }

  private wrongListing(name: string, { segment }: Listing): void {
    this.marks.suspect.add(name);
    this.context.findings.add('index-differs', {
      object: `index/${segment}`,
      message: `this index segment says of pack ${name} what the pack itself does not`,
      hint: 'Run `cairn check --data` to learn which of the two is wrong, and `cairn repair` to have the index made again.',
    });
  }

  /** To be called when packs were read: makes `judge` take account of what was found. */
  applyMarks(): void {
    this.stock.holdings.applyMarks();
  }

  judge(type: ChunkType, id: Uint8Array): ChunkJudgement {
    return this.stock.holdings.judge(type, id);
  }

  /** As `judge`, for a chunk that is missing: looks into packs that no segment lists, too. */
  async judgeUnlisted(type: ChunkType, id: Uint8Array): Promise<ChunkJudgement> {
    const { holdings } = await this.unlistedStock();
    const judgement = holdings.judge(type, id);
    if (judgement === 'missing' || (await this.isNotListed(holdings.holder(id)))) return judgement;
    const now = this.judge(type, id);
    return now === 'missing' ? await this.judgeUnlisted(type, id) : now;
  }

  get ahead(): ChunkSource['ahead'] {
    return this.stock.reader.ahead;
  }

  holder(id: Uint8Array): string | undefined {
    return this.stock.holdings.holder(id);
  }

  async chunk(type: ChunkType, id: Uint8Array): Promise<Uint8Array> {
    for (;;) {
      try {
        return await this.stock.reader.chunk(type, id);
      } catch (error) {
        if (!isCairnError(error, 'OBJECT_MISSING') && !isCairnError(error, 'CORRUPT')) throw error;
        if (await this.catchUp()) continue;
        if (error.code !== 'OBJECT_MISSING') throw error;
        const { holdings, reader } = await this.unlistedStock();
        if (holdings.judge(type, id) === 'missing') throw error;
        if (await this.isNotListed(holdings.holder(id))) return await reader.chunk(type, id);
      }
    }
  }

  /** Tells of a pack that archives need and no segment lists; false when the log has grown, and one may list it now. */
  private async isNotListed(name = ''): Promise<boolean> {
    if (this.toldNotListed.has(name)) return true;
    if (await this.catchUp()) return false;
    this.toldNotListed.add(name);
    this.context.findings.add('pack-not-listed', {
      object: `packs/${name}`,
      message: 'archives need this pack, and no readable index segment lists it: they cannot be read as it is',
      hint: 'Nothing is lost: `cairn repair` makes the index again from the packs.',
    });
    return true;
  }

  private async unlistedStock(): Promise<Stock> {
    if (this.unlisted === undefined) {
      const sizes = new Map([...this.present].filter(([name]) => !this.listed.has(name)));
      const segment = await readUnlistedPacks(this.context, sizes);
      this.unlisted = this.makeStock(ChunkIndex.build([segment], new Set()));
    }
    return this.unlisted;
  }
}
