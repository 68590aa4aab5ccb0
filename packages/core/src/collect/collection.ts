import type { ObjectKey } from '../ids.ts';
import type { Choice } from './choice.ts';
import { Condemner, type Leaving, type LeavingSegment } from './condemn.ts';
import { mergeSegments, type Merging } from './merge-index.ts';
import { PackJudge } from './pack-judge.ts';
import { confirmRedundant } from './redundant.ts';
import { Repacker } from './repack.ts';
import type { Grace, Roots } from './roots.ts';
import type { Survey } from './survey.ts';
import { Sweeper } from './sweep.ts';
import type { Watch } from './watch.ts';

/** How many headers are read at once: they are small, so this hides the way to a store. */
const JUDGE_WIDTH = 16;

/** What a collector has found out, and wants to do. */
export interface Prepared {
  readonly survey: Survey;
  readonly roots: Roots;
  readonly grace: Grace;
  readonly choice: Choice;
  readonly merging: Merging;
  readonly watch: Watch;
}

/** What came of it. */
export interface Collected {
  readonly dropped: readonly string[];
  readonly condemned: { readonly packs: number; readonly bytes: number; readonly segments: number };
  readonly repacked: { readonly packs: number; readonly copiedBytes: number };
  readonly mergedSegments: number;
  readonly rescued: readonly string[];
  readonly swept: { readonly packs: number; readonly segments: number };
  readonly removed: { readonly objects: number; readonly bytes: number };
  readonly damaged: readonly string[];
}

/** Carries out one compaction. What it has done when it fails or is cancelled stays done; the next one goes on from there. */
export class Collection {
  private readonly prepared: Prepared;
  private readonly judge: PackJudge;
  private readonly condemner: Condemner;
  private readonly sweeper: Sweeper;
  /** What is swept and in the store all the same: it goes, too, whenever it turns up (rule R13). */
  private leftovers: Survey['leftovers'];
  private readonly report = {
    dropped: [] as string[],
    condemned: { packs: 0, bytes: 0, segments: 0 },
    repacked: { packs: 0, copiedBytes: 0 },
    mergedSegments: 0,
    rescued: [] as string[],
    swept: { packs: 0, segments: 0 },
    removed: { objects: 0, bytes: 0 },
    damaged: [] as string[],
  };

  constructor(prepared: Prepared) {
    const { survey, roots, grace, watch } = prepared;
    this.prepared = prepared;
    this.leftovers = survey.leftovers;
    this.judge = new PackJudge(survey);
    this.condemner = new Condemner(survey, roots, this.judge, watch);
    this.sweeper = new Sweeper(survey, roots, grace, watch);
  }

  /** Rejects like the store; with `CORRUPT` or `OBJECT_MISSING` when archives that were committed meanwhile are damaged. */
  async run(): Promise<Collected> {
    const { survey, roots, choice, merging } = this.prepared;
    await roots.catchUp();
    survey.live.forgetTouched();
    // First what frees space: a full store must not keep it from that.
    await this.sweep();
    const dead = await this.judgeDead();
    const empty = merging.empty.map(({ name }) => ({ name, coveredBy: [] }));
    await this.condemn(dead, empty, 'nothing needs them');
    if (merging.redundant.length > 0) await this.giveUpRedundant();
    if (choice.repack.length > 0) await this.repack();
    if (merging.segments.length > 0) await this.merge();
    // Without a grace, what was condemned just now is due already.
    await this.sweep();
    return this.report;
  }

  private async sweep(): Promise<void> {
    const { survey } = this.prepared;
    const { report } = this;
    report.rescued.push(...(await this.sweeper.rescue()));
    const { packs, segments } = await this.sweeper.sweep();
    report.swept.packs += packs.length;
    report.swept.segments += segments.length;
    const keys: ObjectKey[] = this.leftovers.map(({ kind, name }) => ({ kind, name }));
    for (const name of packs) keys.push({ kind: 'packs', name });
    for (const name of segments) keys.push({ kind: 'index', name });
    await this.sweeper.remove(keys);
    report.removed.objects += keys.length;
    report.removed.bytes += this.leftovers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    report.removed.bytes += survey.bytesOf(new Set([...packs, ...segments]));
    this.leftovers = [];
  }

  /** Reads the headers of packs that the index calls dead, or that it does not list. */
  private async judgeDead(): Promise<Leaving[]> {
    const { survey, choice, watch } = this.prepared;
    const candidates = [
      ...choice.dead.map((pack) => ({ pack, ...(survey.index.packs[pack] as { name: string; sizeBytes: number }) })),
      ...choice.unlisted.map(({ name, sizeBytes }) => ({ pack: undefined, name, sizeBytes })),
    ];
    const dead: Leaving[] = [];
    const left = candidates.values();
    let done = 0;
    const lane = async (): Promise<void> => {
      for (const { pack, name, sizeBytes } of left) {
        watch.check();
        const verdict = await this.judge.judge(name, sizeBytes, pack);
        if (verdict === 'dead') dead.push({ name, pack, sizeBytes, copiesIn: [] });
        if (verdict === 'damaged') this.report.damaged.push(name);
        done += 1;
        watch.tell('judge', done, candidates.length);
      }
    };
    await Promise.all(Array.from({ length: JUDGE_WIDTH }, lane));
    return dead;
  }

  private async repack(): Promise<void> {
    const { survey, choice, watch } = this.prepared;
    const { condemnedPacks, sweptPacks, damage } = survey.access.log.state;
    const leaving = new Set(choice.repack);
    const stays = (pack: number): boolean => {
      const name = survey.index.packs[pack]?.name ?? '';
      const goes = leaving.has(pack) || condemnedPacks.has(name) || sweptPacks.has(name) || damage.packs.has(name);
      return survey.isPresent(pack) && !goes;
    };
    const repacker = new Repacker(survey, this.judge, stays);
    try {
      for (const [done, pack] of choice.repack.entries()) {
        watch.check();
        watch.tell('repack', done, choice.repack.length);
        if (!(await repacker.move(pack))) this.report.damaged.push(survey.index.packs[pack]?.name ?? '');
        if (repacker.isBatchFull) await this.condemnMoved(repacker);
      }
      await this.condemnMoved(repacker);
    } catch (error) {
      await repacker.listDurable();
      throw error;
    }
    this.report.repacked.copiedBytes = repacker.copiedBytes;
  }

  /** Copies and the segment that lists them are durable before what they were copied from is condemned (rule R3). */
  private async condemnMoved(repacker: Repacker): Promise<void> {
    const { packs, segment } = await repacker.finish();
    if (segment !== undefined) await this.addToIndex([segment]);
    this.report.repacked.packs += await this.condemn(packs, [], 'what is needed of them was copied');
  }

  private async merge(): Promise<void> {
    const { survey, merging, watch } = this.prepared;
    watch.check();
    watch.tell('merge');
    const leaving = await mergeSegments(survey, merging.segments);
    await this.addToIndex([...new Set(leaving.flatMap(({ coveredBy }) => coveredBy))]);
    await this.condemn([], leaving, 'merged');
    this.report.mergedSegments = leaving.length;
  }

  /** Condemns segments of which others say all (rule R10), which the log names from then on: they have to be there. */
  private async giveUpRedundant(): Promise<void> {
    const { survey, merging } = this.prepared;
    const leaving = await confirmRedundant(survey, merging.redundant);
    if (leaving.length === 0) return;
    const { segments } = survey.access.log.state;
    const unnamed = new Set(leaving.flatMap(({ coveredBy }) => coveredBy.filter((name) => !segments.has(name))));
    if (unnamed.size > 0) await this.addToIndex([...unnamed]);
    await this.condemn([], leaving, 'others list what they do');
  }

  private async addToIndex(segments: readonly string[]): Promise<void> {
    await this.prepared.survey.access.log.append(() => ({ kind: 'INDEX', segments }));
  }

  /** Resolves to the number of packs that were condemned. */
  private async condemn(
    packs: readonly Leaving[],
    segments: readonly LeavingSegment[],
    reason: string,
  ): Promise<number> {
    const condemned = await this.condemner.condemn(packs, segments, reason);
    const { report } = this;
    report.dropped.push(...condemned.dropped);
    report.condemned.packs += condemned.packs.length;
    report.condemned.bytes += condemned.packs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    report.condemned.segments += condemned.segments.length;
    return condemned.packs.length;
  }
}
