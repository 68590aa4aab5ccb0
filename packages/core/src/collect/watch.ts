import { becauseText, type Because } from '../log/because.ts';
import { throwIfCancelled } from '../stores/contract.ts';

/** How far a compaction has come. `total` is 0 while it is not known. */
export interface CompactProgress {
  /** `mark` counts archives, `judge` and `repack` packs, `remove` objects; `index` and `merge` are not counted. */
  readonly phase: 'index' | 'mark' | 'judge' | 'repack' | 'merge' | 'remove';
  readonly done: number;
  readonly total: number;
}

/** How to run a compaction. */
export interface CompactRun extends Pick<Because, 'by'> {
  /** Cancels it: what is done stays done, and the next run goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: CompactProgress) => void;
}

/** Who watches a compaction: somebody else may plan it than carries it out. */
export class Watch {
  private run: CompactRun;

  constructor(run: CompactRun) {
    this.run = run;
  }

  handTo(run: CompactRun): void {
    this.run = run;
  }

  get signal(): AbortSignal | undefined {
    return this.run.signal;
  }

  /** What the log says of why something is done. */
  because(reason: string): string {
    return becauseText({ ...this.run, reason });
  }

  tell(phase: CompactProgress['phase'], done = 0, total = 0): void {
    this.run.onProgress?.({ phase, done, total });
  }

  /** Rejects with `CANCELLED` when the signal has fired. */
  check(): void {
    throwIfCancelled(this.run.signal, 'compact');
  }
}
