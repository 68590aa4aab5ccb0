import type { ObjectKey } from '../ids.ts';
import type { LogState } from '../log/state.ts';
import { endangeredPacks } from './pack-sums.ts';
import type { Grace, Roots } from './roots.ts';
import type { Survey } from './survey.ts';
import type { Watch } from './watch.ts';

/** Names in one entry; see `condemn.ts`. */
const NAMES_IN_ENTRY = 30_000;
/** How many objects are removed at once. */
const REMOVE_WIDTH = 8;

/** Names of objects that a SWEEP gave up. */
export interface Swept {
  readonly packs: readonly string[];
  readonly segments: readonly string[];
}

/** What may be swept at this state: condemned without a break for the grace (rule R9). */
export function dueAt(state: LogState, grace: Grace): Swept {
  const due = (condemned: LogState['condemnedPacks']): string[] =>
    [...condemned].filter(([, { sinceMs }]) => grace.isOver(sinceMs)).map(([name]) => name);
  return { packs: due(state.condemnedPacks), segments: due(state.condemnedSegments) };
}

/** Rescues and sweeps what was condemned, and removes the bytes of what is swept. */
export class Sweeper {
  private readonly survey: Survey;
  private readonly roots: Roots;
  private readonly grace: Grace;
  private readonly watch: Watch;

  constructor(survey: Survey, roots: Roots, grace: Grace, watch: Watch) {
    this.survey = survey;
    this.roots = roots;
    this.grace = grace;
    this.watch = watch;
  }

  /**
   * Rescues condemned packs that archives need and whose chunks are nowhere else. Not needed as long as every writer rescues
   * what it uses, and every collector keeps the rules. Resolves to their names.
   */
  async rescue(): Promise<readonly string[]> {
    const { log } = this.survey.access;
    await this.roots.catchUp();
    const packs = this.endangeredAt(log.state);
    if (packs.length === 0) return [];
    const rescued = { packs: [] as string[] };
    await log.append((state) => {
      rescued.packs = packs.filter((name) => state.condemnedPacks.has(name));
      if (rescued.packs.length === 0) return undefined;
      return { kind: 'RESCUE', packs: rescued.packs, segments: [], reason: this.watch.because('archives need them') };
    });
    return rescued.packs;
  }

  /** Rescues, then appends SWEEP of all that is due, except what is endangered since. Resolves to it once that is durable. */
  async sweep(): Promise<Swept> {
    await this.rescue();
    const done = { packs: [] as string[], segments: [] as string[] };
    for (;;) {
      await this.roots.catchUp();
      let behind = false;
      let swept: Swept = { packs: [], segments: [] };
      await this.survey.access.log.append((state) => {
        behind = !this.roots.areMarkedAt(state);
        if (behind) return undefined;
        swept = this.sweepableAt(state);
        return swept.packs.length + swept.segments.length === 0 ? undefined : { kind: 'SWEEP', ...swept };
      });
      done.packs.push(...swept.packs);
      done.segments.push(...swept.segments);
      if (!behind && swept.packs.length + swept.segments.length === 0) return done;
    }
  }

  /** Removes the bytes of objects, which a durable SWEEP must name (rules R9, R13). Absent ones are as good as removed. */
  async remove(keys: readonly ObjectKey[]): Promise<void> {
    const { log, store } = this.survey.access;
    const { sweptPacks, sweptSegments } = log.state;
    const left = keys
      .filter(({ kind, name }) =>
        kind === 'packs' ? sweptPacks.has(name) : kind === 'index' && sweptSegments.has(name),
      )
      .values();
    let done = 0;
    const lane = async (): Promise<void> => {
      for (const key of left) {
        this.watch.check();
        await store.delete(key);
        done += 1;
        this.watch.tell('remove', done, keys.length);
      }
    };
    await Promise.all(Array.from({ length: REMOVE_WIDTH }, lane));
  }

  private sweepableAt(state: LogState): Swept {
    const due = dueAt(state, this.grace);
    const endangered = new Set(due.packs.length === 0 ? [] : this.endangeredAt(state));
    return {
      packs: due.packs.filter((name) => !endangered.has(name)).slice(0, NAMES_IN_ENTRY),
      segments: this.coveredAt(state, due.segments).slice(0, NAMES_IN_ENTRY),
    };
  }

  private endangeredAt(state: LogState): string[] {
    return [
      ...endangeredPacks(this.survey, (pack) => state.condemnedPacks.has(pack) || state.sweptPacks.has(pack)),
    ].filter((pack) => state.condemnedPacks.has(pack));
  }

  /** Those of the segments whose packs, as far as they are not swept, are listed by segments that stay (rule R10). */
  private coveredAt(state: LogState, segments: readonly string[]): readonly string[] {
    if (segments.length === 0) return segments;
    const listed = new Set<string>();
    for (const segment of this.survey.segmentNames) {
      if (state.condemnedSegments.has(segment) || state.sweptSegments.has(segment)) continue;
      for (const pack of this.survey.packsListedBy(segment)) listed.add(pack);
    }
    const isCovered = (pack: string): boolean => listed.has(pack) || state.sweptPacks.has(pack);
    return segments.filter((segment) => [...this.survey.packsListedBy(segment)].every(isCovered));
  }
}
