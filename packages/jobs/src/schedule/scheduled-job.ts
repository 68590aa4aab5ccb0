import type { JobFile } from '../job-file/read-job.ts';
import { ChangeTrigger } from './change-trigger.ts';
import { CronSchedule } from './cron.ts';
import { dueAt, handledBy, type Due } from './due.ts';
import { zoneOf } from './missed-runs.ts';
import { SourceWatch } from './source-watch.ts';

/** A job with a schedule, as long as its file does not change. */
export class ScheduledJob {
  readonly name: string;
  /** The file's text as an object, to see whether it changed. */
  readonly version: string;
  private readonly cron: CronSchedule | undefined;
  private readonly catchUp: boolean;
  private readonly change: ChangeTrigger | undefined;
  private readonly sources: SourceWatch | undefined;
  private handledMs: number;
  private quiet: { fromMs: number; readonly nextMs: number } | undefined;

  /**
   * @param handledMs up to when scheduled times were dealt with.
   * @param watching what is watched for the trigger on change, and who hears of it.
   */
  constructor(
    job: JobFile,
    handledMs: number,
    watching: {
      readonly sources: readonly string[];
      readonly monotonicMs: () => number;
      /** Whether a change at one of these paths is one; never rejects. */
      readonly counts: (paths: readonly string[]) => Promise<boolean>;
      /** Hears of the first change since the job ran. */
      readonly onChange: () => void;
      readonly onFailure: (text: string) => void;
    },
  ) {
    const { schedule } = job;
    this.name = job.name;
    this.version = versionOf(job);
    this.handledMs = handledMs;
    this.catchUp = schedule?.['catch-up'] ?? true;
    this.cron = schedule?.cron === undefined ? undefined : new CronSchedule(schedule.cron, zoneOf(schedule));
    const onChange = schedule?.['on-change'];
    if (onChange === undefined) return;
    const change = new ChangeTrigger(onChange.debounce, onChange.ceiling);
    this.change = change;
    this.sources = new SourceWatch(watching.sources, {
      onFailure: watching.onFailure,
      counts: watching.counts,
      onChange: () => {
        if (change.changed(watching.monotonicMs())) watching.onChange();
      },
    });
  }

  /** What the schedule says now; undefined for a job that runs on change only. A time that it tells of counts as dealt with. */
  takeDue(nowMs: number): Due | undefined {
    if (this.cron === undefined) return undefined;
    const { quiet } = this;
    // Asked again and again: as long as the clock goes on, nothing has to be worked out before the next time.
    if (quiet !== undefined && nowMs >= quiet.fromMs && nowMs < quiet.nextMs) {
      quiet.fromMs = nowMs;
      return { kind: 'not yet', nextMs: quiet.nextMs };
    }
    this.handledMs = handledBy(this.handledMs, nowMs);
    const due = dueAt(this.cron, this.handledMs, nowMs, this.catchUp);
    if (due.kind !== 'not yet') this.handledMs = nowMs;
    else if (due.nextMs !== undefined) this.quiet = { fromMs: nowMs, nextMs: due.nextMs };
    return due;
  }

  /** True when changes are to be backed up now. They count as dealt with. */
  takeChange(monotonicMs: number): boolean {
    const dueMs = this.change?.dueMs();
    if (dueMs === undefined || dueMs > monotonicMs) return false;
    this.change?.reset();
    return true;
  }

  /** When changes are to be backed up, by the monotonic clock. */
  get changeDueMs(): number | undefined {
    return this.change?.dueMs();
  }

  /** Watches what could not be watched before. */
  watchAgain(): void {
    this.sources?.beginAgain();
  }

  close(): void {
    this.sources?.close();
  }
}

export function versionOf(job: JobFile): string {
  return JSON.stringify(job);
}
