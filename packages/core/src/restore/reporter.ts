import { displayName, type ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND, type EntryKind } from '../tree/entry.ts';
import type { Segment } from './file-content.ts';
import type {
  BadRange,
  PrivilegedKind,
  RestoreAction,
  RestoreActionKind,
  RestoreProblem,
  RestoreProblemKind,
  RestoreProgress,
  RestoreReport,
} from './options.ts';

/** Problems kept with their paths; beyond that they are only counted. */
const KEPT_PROBLEMS = 1_000;
/** The same for bad ranges. */
const KEPT_RANGES = 1_000;

/** Gathers what a restore did and could not do. */
export class Reporter {
  private readonly totals = { files: 0, directories: 0, others: 0, bytes: 0 };
  private readonly problems: RestoreProblem[] = [];
  private readonly problemCounts: Partial<Record<RestoreProblemKind, number>> = {};
  private readonly skipped: Partial<Record<PrivilegedKind, number>> = {};
  private readonly actions = { unchanged: 0, attributes: 0, kept: 0 };
  private readonly badRanges: BadRange[] = [];
  private badBytes = 0;
  private replacedEntries = 0;
  private deleted = 0;
  private verifiedFiles = 0;
  private readonly onProgress: ((progress: RestoreProgress) => void) | undefined;
  private readonly onAction: ((action: RestoreAction) => void) | undefined;

  constructor(onProgress?: (progress: RestoreProgress) => void, onAction?: (action: RestoreAction) => void) {
    this.onProgress = onProgress;
    this.onAction = onAction;
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

  /** Parts of a file that the repository cannot give; those that touch are told as one. */
  bad(path: ByteString, segments: readonly Segment[]): void {
    const ranges: { offset: number; length: number }[] = [];
    for (const { fileOffset: offset, length } of segments.toSorted((a, b) => a.fileOffset - b.fileOffset)) {
      const last = ranges.at(-1);
      this.badBytes += length;
      if (last !== undefined && last.offset + last.length === offset) last.length += length;
      else ranges.push({ offset, length });
    }
    for (const range of ranges) if (this.badRanges.length < KEPT_RANGES) this.badRanges.push({ path, ...range });
  }

  /** What is done with a name; what is made under it is counted by `restored` when it is there. */
  did(action: RestoreActionKind, path: ByteString): void {
    if (action === 'delete') this.deleted += 1;
    else if (action !== 'create' && action !== 'replace') this.actions[action] += 1;
    this.onAction?.({ action, path });
  }

  /** Counts entries that took the place of others. */
  replaced(count: number): void {
    this.replacedEntries += count;
  }

  verified(): void {
    this.verifiedFiles += 1;
  }

  /** True when something is not there that should be. */
  get lacksEntries(): boolean {
    const { damaged, exists, target } = this.problemCounts;
    return damaged !== undefined || exists !== undefined || target !== undefined;
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
      ...this.actions,
      badRanges: this.badRanges,
      badBytes: this.badBytes,
      replaced: this.replacedEntries,
      deleted: this.deleted,
      verified: this.verifiedFiles,
      problems: this.problems,
      problemCounts: this.problemCounts,
      notRestored: this.skipped,
    };
  }
}
