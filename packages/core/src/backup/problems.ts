import { displayName } from '../host/byte-path.ts';

/**
 * Kinds of what a backup could not do as asked.
 * unreadable: left out, for lack of rights or an input error; vanished: gone between listing and reading; changed: stored, but
 * it changed meanwhile; missing-source: a source that does not exist; unsupported: cannot be represented; content: a stream or
 * command that did not end well, of which nothing is stored.
 */
const PROBLEM_KINDS = ['unreadable', 'vanished', 'changed', 'missing-source', 'unsupported', 'content'] as const;
/** What can go wrong with a part of a backup, in one word; `docs/reference/json.md` lists them. */
export type ProblemKind = (typeof PROBLEM_KINDS)[number];

/** Something of a backup that is not stored as it should be. */
export interface Problem {
  readonly kind: ProblemKind;
  /** Byte string. */
  readonly path: string;
  readonly message: string;
}

const INCOMPLETE: readonly ProblemKind[] = ['unreadable', 'missing-source', 'unsupported', 'content'];

/** Problems kept with their paths; beyond that they are only counted. */
const KEPT = 1_000;

export class Problems {
  readonly kept: Problem[] = [];
  readonly counts = new Map<ProblemKind, number>();
  private readonly onProblem: ((problem: Problem) => void) | undefined;

  constructor(onProblem?: (problem: Problem) => void) {
    this.onProblem = onProblem;
  }

  add(kind: ProblemKind, path: string, reason: string): void {
    const problem = { kind, path, message: `${displayName(path)}: ${reason}` };
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    if (this.kept.length < KEPT) this.kept.push(problem);
    this.onProblem?.(problem);
  }

  /** True when something that was asked for is not in the archive. A file that vanished or changed does not count. */
  get incomplete(): boolean {
    return INCOMPLETE.some((kind) => this.counts.has(kind));
  }
}
