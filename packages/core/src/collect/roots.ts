import { CairnError } from '../errors.ts';
import { PIN } from '../limits.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { UnreadableArchive } from '../log/unreadable.ts';
import type { Clock } from '../ports/environment.ts';
import type { Survey } from './survey.ts';
import { TreeMark } from './tree-mark.ts';
import type { Watch } from './watch.ts';

/** How many archives are marked side by side: hides the way to a store. */
const MARK_WIDTH = 4;

/** When something is old enough, by the store's clock. */
export class Grace {
  readonly ms: number;
  private readonly clock: Clock;

  constructor(clock: Clock, ms: number) {
    this.clock = clock;
    this.ms = ms;
  }

  /** Whether it is over for something that began then, milliseconds since 1970. */
  isOver(sinceMs: number): boolean {
    return this.ms === 0 || sinceMs + this.ms <= this.nowMs;
  }

  /** Whether a pin counts that was promised until then, nanoseconds since 1970: a while longer, for clocks differ (rule R11). */
  isPinned(untilNs: bigint): boolean {
    return untilNs >= BigInt(this.nowMs - PIN.marginMs) * 1_000_000n;
  }

  private get nowMs(): number {
    return Number(this.clock.nowNs() / 1_000_000n);
  }
}

/**
 * Whether a CONDEMN at this state may drop the archive: it has been deleted without a break for the grace (rule R7), is not
 * protected, and no pin holds it (rule R11).
 */
export function isDroppable(state: LogState, id: string, grace: Grace): boolean {
  const archive = state.archives.get(id) ?? state.unreadable().find((unread) => unread.id === id);
  if (archive?.state !== 'deleted' || archive.deletedMs === undefined || archive.protect) return false;
  if (!grace.isOver(archive.deletedMs)) return false;
  return ![...state.pins.values()].some(({ archives, until }) => archives.includes(id) && grace.isPinned(until));
}

/** Which archives are roots, and that all of them are marked. */
export class Roots {
  private readonly survey: Survey;
  private readonly mark: TreeMark;
  private readonly grace: Grace;
  private readonly drops: ReadonlySet<string>;
  private readonly marked = new Set<string>();
  private readonly watch: Watch;

  /** @param drops archives that a CONDEMN is to drop, as long as they may be. */
  constructor(survey: Survey, grace: Grace, drops: ReadonlySet<string>, watch: Watch) {
    this.survey = survey;
    this.mark = new TreeMark(survey.live, survey, survey.access.suite, () => watch.check());
    this.grace = grace;
    this.drops = drops;
    this.watch = watch;
  }

  /** Those of the chosen archives that may be dropped at this state. */
  dropsAt(state: LogState): string[] {
    return [...this.drops].filter((id) => isDroppable(state, id, this.grace));
  }

  /** Whether every root at this state is marked: every archive that was committed and neither dropped nor is to be. */
  areMarkedAt(state: LogState): boolean {
    return this.unmarkedAt(state).length + this.unreadableAt(state).length === 0;
  }

  /** Replays the log, loads what the index got since, and marks the roots that are not marked yet. Rejects like a mark. */
  async catchUp(): Promise<void> {
    await this.survey.catchUp();
    const { state } = this.survey.access.log;
    const [unread] = this.unreadableAt(state);
    if (unread !== undefined) throw cannotMark(unread);
    const left = this.unmarkedAt(state);
    if (left.length === 0) return;
    let done = 0;
    this.watch.tell('mark', done, left.length);
    const archives = left.values();
    const lane = async (): Promise<void> => {
      for (const archive of archives) {
        await this.mark.archive(archive);
        done += 1;
        this.watch.tell('mark', done, left.length);
      }
    };
    await Promise.all(Array.from({ length: MARK_WIDTH }, lane));
    for (const { id } of left) this.marked.add(id);
  }

  private unmarkedAt(state: LogState): ArchiveRecord[] {
    const drops = new Set(this.dropsAt(state));
    return [...state.archives.values()].filter(
      ({ id, state: standing }) => standing !== 'dropped' && !this.marked.has(id) && !drops.has(id),
    );
  }

  /** Roots of which nobody knows what they need. */
  private unreadableAt(state: LogState): UnreadableArchive[] {
    const drops = new Set(this.dropsAt(state));
    return state.unreadable().filter(({ id, state: standing }) => standing !== 'dropped' && !drops.has(id));
  }
}

function cannotMark({ seq, state }: UnreadableArchive): CairnError {
  return new CairnError(
    'CORRUPT',
    `log entry ${seq}, the COMMIT of an archive, cannot be read: what it needs is not known`,
    {
      hint:
        state === 'deleted'
          ? 'The archive is deleted; as soon as it was so for the grace, compact drops it and goes on.'
          : 'Bring the entry back from another copy of the store, or give the archive up with `cairn repair`.',
    },
  );
}
