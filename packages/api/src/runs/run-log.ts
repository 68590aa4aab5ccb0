import type { RunRecord, RunStore } from '@cairn/jobs';

/** An event as it is in the record. */
export interface LoggedRunEvent {
  readonly [name: string]: unknown;
  readonly type: string;
  readonly at: string;
}

export interface RunLog {
  readonly events: LoggedRunEvent[];
  /** Offset to go on from. */
  readonly next: number;
  /** There is more in the record already. */
  readonly more: boolean;
}

/** The events that are in the record of a run, from an offset on. Does not wait for more. */
export async function readRunLog(runs: RunStore, run: RunRecord, from: number, limit: number): Promise<RunLog> {
  const events: LoggedRunEvent[] = [];
  let next = from;
  // What is written while this reads is for the next time: nothing is waited for.
  while (next < run.size && events.length < limit) {
    const before = next;
    // Behind the last whole line there may be a piece of one, when its writer was killed.
    for await (const { offset, event } of runs.follow(run.id, next)) {
      events.push({ ...event });
      next = offset;
      if (next >= run.size || events.length >= limit) break;
    }
    if (next === before) break;
  }
  return { events, next, more: events.length >= limit && next < run.size };
}
