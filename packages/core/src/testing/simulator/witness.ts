import { nodeSuite } from '../../crypto/node-suite.ts';
import type { Capabilities } from '../../crypto/capabilities.ts';
import { decodeSegment, RECORD_BYTES } from '../../index/segment.ts';
import type { ArchiveRecord } from '../../log/state.ts';
import type { Environment } from '../../ports/environment.ts';
import { Repository } from '../../repository.ts';
import { toUtf8 } from '../../host/byte-path.ts';
import { MemoryStore } from '../../stores/memory.ts';
import { CONTENT_RECORD_BYTES } from '../../tree/content.ts';
import { ENTRY_KIND } from '../../tree/entry.ts';
import type { World } from './world.ts';

/** Digits of a chunk id that an index segment keeps, two for each byte. */
const SHORT_ID_DIGITS = 32;

/** Where a segment says that chunks are: short chunk id to names of packs. */
type Listing = ReadonlyMap<string, readonly string[]>;

/**
 * Sees everything at once, and without faults: it looks into the objects themselves. Keeps to the invariant of the model of the
 * deletion rules: every chunk of every archive that was not dropped has a pack that is present, neither condemned nor swept, and listed
 * by a present index segment that is neither condemned nor swept.
 */
export class Witness {
  private readonly world: World;
  private readonly keys: Capabilities;
  private readonly environment: Environment;
  private readonly listings = new Map<string, Listing>();
  /** Short ids of all chunks that an archive needs, data, trees and chunk lists. */
  private readonly needs = new Map<string, ReadonlySet<string>>();
  private repository: Repository | undefined;
  private seenChanges = -1;

  constructor(world: World, keys: Capabilities, environment: Environment) {
    this.world = world;
    this.keys = keys;
    this.environment = environment;
  }

  /** After a power cut: what was seen may be gone. */
  forget(): void {
    this.repository = undefined;
    this.needs.clear();
  }

  /** The repository as it is. Do not write through it. */
  async look(): Promise<Repository> {
    if (this.repository === undefined) {
      const store = new MemoryStore(this.world.clock, this.world.objects);
      this.repository = await Repository.open(store, { keys: this.keys, environment: this.environment });
    }
    await this.repository.access.log.refresh();
    return this.repository;
  }

  /** Archives that must be readable. */
  async roots(): Promise<ArchiveRecord[]> {
    const { state } = (await this.look()).access.log;
    return [...state.archives.values()].filter((archive) => archive.state !== 'dropped');
  }

  /** Holds the store against the invariant. Throws when it is broken. */
  async verify(): Promise<void> {
    if (this.world.changes === this.seenChanges) return;
    this.seenChanges = this.world.changes;
    const repository = await this.look();
    const { state } = repository.access.log;
    const good = this.goodChunks(state);
    for (const archive of await this.roots()) {
      const needed = await this.neededBy(repository, archive);
      for (const id of needed) {
        if (!good.has(id)) throw new Error(`chunk ${id} of ${archive.name} has no good and listed pack`);
      }
    }
  }

  private goodChunks(state: Repository['access']['log']['state']): Set<string> {
    const { objects } = this.world;
    const good = new Set<string>();
    for (const [label, { body }] of objects) {
      if (!label.startsWith('index/')) continue;
      const name = label.slice('index/'.length);
      if (state.sweptSegments.has(name) || state.condemnedSegments.has(name)) continue;
      for (const [id, packs] of this.listing(name, body)) {
        if (good.has(id)) continue;
        const holds = (pack: string): boolean =>
          objects.has(`packs/${pack}`) && !state.sweptPacks.has(pack) && !state.condemnedPacks.has(pack);
        if (packs.some(holds)) good.add(id);
      }
    }
    return good;
  }

  private listing(name: string, body: Uint8Array): Listing {
    const known = this.listings.get(name);
    if (known !== undefined) return known;
    const { repo, loc = new Uint8Array() } = this.keys;
    const { packs, records } = decodeSegment(nodeSuite, { repo, loc }, body, `index segment ${name}`);
    const listing = new Map<string, string[]>();
    for (let at = 0; at < records.length; at += RECORD_BYTES) {
      const id = records.toString('hex', at, at + SHORT_ID_DIGITS / 2);
      const pack = packs[records.readUInt32LE(at + SHORT_ID_DIGITS / 2)]?.name ?? '';
      listing.set(id, [...(listing.get(id) ?? []), pack]);
    }
    this.listings.set(name, listing);
    return listing;
  }

  private async neededBy(repository: Repository, archive: ArchiveRecord): Promise<ReadonlySet<string>> {
    const known = this.needs.get(archive.id);
    if (known !== undefined) return known;
    await repository.access.reloadIndex();
    const needed = new Set<string>();
    const view = await repository.view(archive);
    for await (const { entry } of view.walk()) {
      const { content } = entry;
      for (let at = 0; content !== null && at < content.records.length; at += CONTENT_RECORD_BYTES) {
        needed.add(content.records.toString('hex', at, at + SHORT_ID_DIGITS / 2));
      }
    }
    this.needs.set(archive.id, needed);
    return needed;
  }
}

/** Reads every file of an archive; throws when one is not as it should be. */
export async function readArchive(
  repository: Repository,
  archive: ArchiveRecord,
  expected: ReadonlyMap<string, Buffer>,
): Promise<void> {
  const view = await repository.view(archive);
  const left = new Map(expected);
  for await (const { path, entry } of view.walk()) {
    if (entry.kind !== ENTRY_KIND.file) continue;
    const parts: Uint8Array[] = [];
    for await (const part of view.read(path)) parts.push(part);
    const name = toUtf8(path);
    const want = left.get(name);
    if (want === undefined || !want.equals(Buffer.concat(parts))) throw new WrongContent(`${archive.name}: ${name}`);
    left.delete(name);
  }
  if (left.size > 0) throw new WrongContent(`${archive.name} lacks ${[...left.keys()].join(', ')}`);
}

/** A restore gave something else than what was backed up. */
export class WrongContent extends Error {}
