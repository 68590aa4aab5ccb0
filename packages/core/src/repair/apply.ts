import { asBuffer } from '../codec/as-buffer.ts';
import { PackUploader } from '../backup/pack-uploader.ts';
import { isDamage, packAccess, type CheckContext } from '../check/context.ts';
import { ChunkOpener } from '../crypto/chunk-crypto.ts';
import { CairnError, invariant } from '../errors.ts';
import { IdSet } from '../index/id-set.ts';
import { PackBuilder } from '../pack/builder.ts';
import type { PackKind } from '../pack/layout.ts';
import { readPackHeader } from '../pack/read-header.ts';
import { throwIfCancelled } from '../stores/contract.ts';
import type { Prepared } from './plan.ts';
import { examinePack } from './salvage.ts';

/** What a repair has done. */
export interface Applied {
  /** Packs and index segments that it stored. */
  readonly newPacks: readonly string[];
  readonly newSegments: readonly string[];
  readonly salvagedChunks: number;
  readonly salvagedBytes: number;
}

/**
 * Carries a plan out, in the order of every writer: packs, then segments that list them, then the log. What was done when it
 * breaks off harms nobody: the next repair finds it.
 */
export async function applyPlan(context: CheckContext, prepared: Prepared): Promise<Applied> {
  const { access } = context;
  const uploader = new PackUploader(access);
  const salvage = new Salvage(context, uploader);
  try {
    await relist(context, prepared, uploader);
    await salvage.run(prepared);
    await uploader.putSegment();
  } catch (error) {
    await uploader.listDurable();
    throw error;
  }
  await sayWhatIsListed(context, uploader);
  return {
    newPacks: uploader.packs,
    newSegments: uploader.segments,
    salvagedChunks: salvage.chunks,
    salvagedBytes: salvage.bytes,
  };
}

/** Lists packs anew, by their own headers. */
async function relist(context: CheckContext, { plan, survey }: Prepared, uploader: PackUploader): Promise<void> {
  const { log } = context.access;
  for (const name of plan.relist) {
    throwIfCancelled(context.signal, 'repair');
    const sizeBytes = survey.packs.get(name) ?? 0;
    try {
      const { records, ...header } = await readPackHeader(packAccess(context), name, sizeBytes, undefined);
      await uploader.list({ name, sizeBytes, ...header, records: asBuffer(records) });
    } catch (error) {
      // It may have been swept since the plan was made. Damage that came since then is for the next repair.
      if (!isDamage(error)) throw error;
      await log.refresh();
      if (!log.state.sweptPacks.has(name)) throw error;
    }
  }
}

/** Copies what can be opened of damaged packs, sealed as it is, into new packs. Held: one damaged pack, two new ones. */
class Salvage {
  private readonly context: CheckContext;
  private readonly uploader: PackUploader;
  private readonly builders = new Map<PackKind, PackBuilder>();
  private readonly taken = new IdSet();
  chunks = 0;
  bytes = 0;

  constructor(context: CheckContext, uploader: PackUploader) {
    this.context = context;
    this.uploader = uploader;
  }

  async run(prepared: Prepared): Promise<void> {
    const { access, signal } = this.context;
    const opener = new ChunkOpener(access.suite, await access.zstd(), access.keys);
    for (const { name, sizeBytes, salvaged } of prepared.plan.damaged) {
      throwIfCancelled(signal, 'repair');
      if (salvaged > 0) await this.take(opener, prepared, name, sizeBytes);
    }
    for (const builder of this.builders.values()) if (!builder.empty) await this.put(builder, true);
  }

  private async take(opener: ChunkOpener, prepared: Prepared, name: string, sizeBytes: number): Promise<void> {
    const { survey, learned } = prepared;
    const examined = await examinePack(this.context, opener, name, sizeBytes, learned.get(name));
    for (const { chunk, rawLength, sealed } of examined.good) {
      const { type, id, session: number, storedLength } = chunk;
      if (this.taken.has(id) || survey.index.places(id).some((place) => !place.damaged)) continue;
      this.taken.add(id);
      const session = examined.sessions[number];
      invariant(session !== undefined, 'the chunk was opened with it');
      const builder = this.builderOf(examined.kind);
      builder.reserve(type, new Uint8Array(id), rawLength, storedLength, session).set(sealed);
      this.chunks += 1;
      this.bytes += storedLength;
      if (builder.full) await this.put(builder, false);
    }
  }

  private builderOf(kind: PackKind): PackBuilder {
    const known = this.builders.get(kind);
    if (known !== undefined) return known;
    const { suite, environment, config } = this.context.access;
    const keys = { repo: config.repo, loc: this.context.access.secret('loc', 'write packs') };
    const builder = new PackBuilder(suite, environment.random, keys, kind);
    this.builders.set(kind, builder);
    return builder;
  }

  private async put(builder: PackBuilder, last: boolean): Promise<void> {
    await this.uploader.put(builder.finish(last));
  }
}

/**
 * Appends INDEX, and RESCUE for what a collector condemned before it was listed. Rejects with `PLAN_STALE` when some of it was
 * swept: then it is as if it had never been put, and the repair must be made again.
 */
async function sayWhatIsListed({ access }: CheckContext, { packs, segments }: PackUploader): Promise<void> {
  if (segments.length === 0) return;
  for (let listed = false; !listed;) {
    await access.log.append((state) => {
      const gone = packs.some((name) => state.sweptPacks.has(name));
      if (gone || segments.some((name) => state.sweptSegments.has(name))) {
        throw new CairnError('PLAN_STALE', 'what this repair stored was removed before it was done', {
          hint: 'Run it again when no compaction is under way.',
        });
      }
      const condemned = {
        packs: packs.filter((name) => state.condemnedPacks.has(name)),
        segments: segments.filter((name) => state.condemnedSegments.has(name)),
      };
      listed = condemned.packs.length + condemned.segments.length === 0;
      return listed ? { kind: 'INDEX', segments } : { kind: 'RESCUE', ...condemned, reason: 'stored by a repair' };
    });
  }
}
