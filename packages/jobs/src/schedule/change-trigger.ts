/** Milliseconds unless the job says otherwise. */
const DEBOUNCE_MS = 60_000;
const CEILING_MS = 7_200_000;

/**
 * When a job that runs on change is due: some time after the last change, and in any case some time after the first one since it ran, so
 * that what never rests is backed up, too. Times are of a monotonic clock.
 */
export class ChangeTrigger {
  private readonly debounceMs: number;
  private readonly ceilingMs: number;
  private firstMs: number | undefined;
  private lastMs = 0;

  constructor(debounceMs = DEBOUNCE_MS, ceilingMs = CEILING_MS) {
    this.debounceMs = debounceMs;
    this.ceilingMs = ceilingMs;
  }

  /** Gives true for the first change since it ran. Later ones put the time off at most, so nobody has to hear of them. */
  changed(nowMs: number): boolean {
    const isFirst = this.firstMs === undefined;
    this.firstMs ??= nowMs;
    this.lastMs = nowMs;
    return isFirst;
  }

  /** When it is due; undefined when nothing has changed. */
  dueMs(): number | undefined {
    return this.firstMs === undefined
      ? undefined
      : Math.min(this.lastMs + this.debounceMs, this.firstMs + this.ceilingMs);
  }

  /** Forgets what changed: a run begins that sees it. */
  reset(): void {
    this.firstMs = undefined;
  }
}
