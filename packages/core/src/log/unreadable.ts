import { isCairnError } from '../errors.ts';
import type { Decision, LogKind } from './decision.ts';
import type { ArchiveStanding } from './decisions.ts';

/**
 * An entry that follows the one before and breaks no rule, and whose sealed half no key opens, or holds something else than
 * its kind says. Its public half counts, its sealed half does not (format page, section 4.6).
 */
export interface UnreadableEntry {
  readonly kind: 'UNREADABLE';
  /** What its public half says. */
  readonly decision: Decision;
  /** What is wrong with the other. */
  readonly why: string;
}

/** An archive whose COMMIT cannot be read: that there is one is known, and what it holds is not. */
export interface UnreadableArchive extends ArchiveStanding {
  readonly why: string;
}

/**
 * Kinds that take nothing away, which a server lets clients append that may not delete. One that cannot be read is passed over:
 * whoever holds such a credential could stop every client by one otherwise. Where an entry of any other kind cannot be read,
 * nobody knows whether it was decided, and clients stop.
 */
const PASSED_OVER: ReadonlySet<LogKind> = new Set<LogKind>(['COMMIT', 'INDEX', 'RESCUE', 'PIN', 'UNPIN']);

/** True when clients that cannot read an entry of that kind go on. */
export function isPassedOver(kind: LogKind): boolean {
  return PASSED_OVER.has(kind);
}

/** The entry, if clients pass it over because of that error; otherwise throws the error. */
export function passOver(decision: Decision, error: unknown): UnreadableEntry {
  const isItsFault = isCairnError(error, 'CORRUPT') || isCairnError(error, 'LIMIT_EXCEEDED');
  if (!isItsFault || !isPassedOver(decision.kind)) throw error;
  return { kind: 'UNREADABLE', decision, why: error.message };
}
