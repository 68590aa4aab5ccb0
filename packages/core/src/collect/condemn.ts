import type { LogState } from '../log/state.ts';
import type { PackJudge } from './pack-judge.ts';
import type { Roots } from './roots.ts';
import type { Survey } from './survey.ts';
import type { Watch } from './watch.ts';

/** Names in one entry: 30,000 of 34 bytes are 1 MB, the limit is 4 MiB. */
const NAMES_IN_ENTRY = 30_000;

/** A pack that is to be condemned. */
export interface Leaving {
  readonly name: string;
  /** Position in the index; undefined when no segment lists it. */
  readonly pack: number | undefined;
  readonly sizeBytes: number;
  /** Packs that hold copies of what is live in it: written from it, or compared with it, byte for byte. */
  readonly copiesIn: readonly string[];
}

/** A segment that is to be condemned. */
export interface LeavingSegment {
  readonly name: string;
  /** Segments that together list all of its packs that are not swept, as it does; none when it lists nothing that counts. */
  readonly coveredBy: readonly string[];
}

export interface Condemned {
  readonly dropped: readonly string[];
  readonly packs: readonly Leaving[];
  readonly segments: readonly LeavingSegment[];
}

/** Appends CONDEMN, each time judged anew at the head (rules R7, R8, R10, R11). */
export class Condemner {
  private readonly survey: Survey;
  private readonly roots: Roots;
  private readonly judge: PackJudge;
  private readonly watch: Watch;

  constructor(survey: Survey, roots: Roots, judge: PackJudge, watch: Watch) {
    this.survey = survey;
    this.roots = roots;
    this.judge = judge;
    this.watch = watch;
  }

  /**
   * Condemns what may be condemned of the given at the head; drops the archives that may be dropped. Resolves to what was
   * condemned once that is durable.
   */
  async condemn(packs: readonly Leaving[], segments: readonly LeavingSegment[], reason: string): Promise<Condemned> {
    const done = { dropped: [] as string[], packs: [] as Leaving[], segments: [] as LeavingSegment[] };
    let first = 0;
    do {
      const batch = packs.slice(first, first + NAMES_IN_ENTRY);
      const condemned = await this.append(batch, first === 0 ? segments : [], reason);
      done.dropped.push(...condemned.dropped);
      done.packs.push(...condemned.packs);
      done.segments.push(...condemned.segments);
      first += NAMES_IN_ENTRY;
    } while (first < packs.length);
    return done;
  }

  private async append(
    packs: readonly Leaving[],
    segments: readonly LeavingSegment[],
    reason: string,
  ): Promise<Condemned> {
    for (;;) {
      await this.roots.catchUp();
      let behind = false;
      let condemned: Condemned = { dropped: [], packs: [], segments: [] };
      await this.survey.access.log.append((state) => {
        behind = !this.roots.areMarkedAt(state);
        if (behind) return undefined;
        condemned = this.atHead(state, packs, segments);
        const { dropped } = condemned;
        if (dropped.length + condemned.packs.length + condemned.segments.length === 0) return undefined;
        return {
          kind: 'CONDEMN',
          dropped,
          packs: condemned.packs.map(({ name }) => name),
          segments: condemned.segments.map(({ name }) => name),
          reason: this.watch.because(reason),
        };
      });
      if (!behind) return condemned;
    }
  }

  private atHead(state: LogState, packs: readonly Leaving[], segments: readonly LeavingSegment[]): Condemned {
    const stays = (pack: string): boolean => !state.condemnedPacks.has(pack) && !state.sweptPacks.has(pack);
    const staysSegment = (segment: string): boolean =>
      !state.condemnedSegments.has(segment) && !state.sweptSegments.has(segment);
    return {
      dropped: this.roots.dropsAt(state),
      packs: packs.filter(
        ({ name, pack, copiesIn }) => stays(name) && copiesIn.every(stays) && !this.judge.isStale(name, pack),
      ),
      segments: segments.filter(({ name, coveredBy }) => staysSegment(name) && coveredBy.every(staysSegment)),
    };
  }
}
