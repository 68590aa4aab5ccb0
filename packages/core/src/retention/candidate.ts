/** An archive of a series as retention sees it. */
export interface Candidate {
  /** Milliseconds since 1970, UTC; undefined when not known. */
  readonly timeMs: number | undefined;
  /** Slot of its COMMIT: of two archives with the same time the later one counts as newer. */
  readonly seq: number;
  /** False when something of the source could not be read. */
  readonly complete: boolean;
  readonly protect: boolean;
}

/** A candidate that rules apply to. */
export interface TimedCandidate extends Candidate {
  readonly timeMs: number;
}

/** For sorting: newest first. */
export function newestFirst(a: Candidate, b: Candidate): number {
  return (b.timeMs ?? 0) - (a.timeMs ?? 0) || b.seq - a.seq;
}
