import { displayName, type ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';
import type { PrivilegedKind, RestoreProblem, RestoreProblemKind, RestoreProgress, RestoreReport } from './options.ts';

/** Problems kept with their paths; beyond that they are only counted. */
const KEPT_PROBLEMS = 1_000;

/** Gathers what a restore did and could not do. */
export class Reporter {
  private readonly totals = { files: 0, directories: 0, others: 0, bytes: 0 };
  private readonly problems: RestoreProblem[] = [];
  private readonly problemCounts: Partial<Record<RestoreProblemKind, number>> = {};
  private readonly skipped: Partial<Record<PrivilegedKind, number>> = {};
  private readonly onProgress: ((progress: RestoreProgress) => void) | undefined;

  constructor(onProgress?: (progress: RestoreProgress) => void) {
    this.onProgress = onProgress;
  }

  /** Counts an entry that is there now. */
  restored(kind: EntryKind, bytes = 0): void {
    if (kind === ENTRY_KIND.file) this.totals.files += 1;
    else if (kind === ENTRY_KIND.directory) this.totals.directories += 1;
    else this.totals.others += 1;
    this.totals.bytes += bytes;
  }

  /** @param reason what happened, without the path. */
  problem(kind: RestoreProblemKind, path: ByteString, reason: string): void {
    this.problemCounts[kind] = (this.problemCounts[kind] ?? 0) + 1;
    if (this.problems.length < KEPT_PROBLEMS) {
      this.problems.push({ kind, path, message: `${displayName(path)}: ${reason}` });
    }
  }

  notRestored(kind: PrivilegedKind, count = 1): void {
    this.skipped[kind] = (this.skipped[kind] ?? 0) + count;
  }

  progress(): void {
    this.onProgress?.({ ...this.totals });
  }

  report(): RestoreReport {
    return {
      ...this.totals,
      problems: this.problems,
      problemCounts: this.problemCounts,
      notRestored: this.skipped,
    };
  }
}
