import type { Candidate } from './candidate.ts';
import { TimeZone, type LocalTime } from './local-time.ts';
import { retain, type RetentionOptions } from './retain.ts';

/** How a series is thought to go on: one complete archive after another, and a prune after each. */
export interface Outlook extends RetentionOptions {
  /** A name of the IANA database. */
  readonly timeZone: string;
  /** Milliseconds from one archive to the next. */
  readonly everyMs: number;
  /** Archives to come, at most. */
  readonly steps: number;
}

/**
 * Tells of the archives of one series when a prune is going to remove each, milliseconds since 1970: now, for what the policy
 * does not keep. What stays as far as the outlook goes is not in the result. Yields between two steps, whose number and size
 * decide how long this takes. Rejects with `USAGE` as `retain` does.
 */
export function* forecast<T extends Candidate>(
  archives: readonly T[],
  { everyMs, steps, nowMs, timeZone, policy }: Outlook,
): Generator<undefined, Map<T, number>> {
  const goes = new Map<T, number>();
  const options = { policy, timeZone: new FamiliarZone(timeZone) };
  const asked = new Map<Candidate, T>(archives.map((archive) => [archive, archive]));
  let left: readonly Candidate[] = archives;
  const prune = (atMs: number): void => {
    const kept: Candidate[] = [];
    for (const { archive, reasons } of retain(left, { ...options, nowMs: atMs })) {
      if (reasons.length > 0) kept.push(archive);
      const original = reasons.length > 0 ? undefined : asked.get(archive);
      if (original !== undefined) goes.set(original, atMs);
    }
    left = kept;
  };
  prune(nowMs);
  let seq = archives.reduce((most, archive) => Math.max(most, archive.seq), 0);
  let atMs = archives.reduce((newest, { timeMs = 0 }) => Math.max(newest, timeMs), 0);
  for (let step = 0; step < steps && goes.size < asked.size; step++) {
    yield;
    seq += 1;
    atMs = Math.max(atMs + everyMs, nowMs);
    left = [...left, { timeMs: atMs, seq, complete: true, protect: false }];
    prune(atMs);
  }
  return goes;
}

/** A time zone that tells the same few moments again and again: working one out takes longer than all the rest of a step. */
class FamiliarZone extends TimeZone {
  private readonly known = new Map<number, LocalTime>();

  override local(ms: number): LocalTime {
    const known = this.known.get(ms);
    if (known !== undefined) return known;
    const local = super.local(ms);
    this.known.set(ms, local);
    return local;
  }
}
