import { CairnError } from '../errors.ts';
import type { Log } from '../log/log.ts';

/** An entry of the log that cannot be read, and what that costs. */
export interface UnreadableSlot {
  readonly seq: number;
  /** When the store received it, milliseconds since 1970. */
  readonly receivedMs: number;
  readonly why: string;
  /** The archive that it committed, 32 hex digits: nobody can list or restore it. Undefined when nothing is lost by it. */
  readonly archive: string | undefined;
  /** It is to be given up: the archive is deleted, and what comes after it makes it a part of the history. */
  readonly giveUp: boolean;
}

/**
 * Entries that cannot be read and stand in somebody's way: those of archives that are not deleted, and the newest one where nobody
 * appends behind it. Rejects with `USAGE` when a slot to be given up is none of them.
 */
export async function unreadableSlots(log: Log, giveUp: ReadonlySet<number>): Promise<UnreadableSlot[]> {
  const slots: UnreadableSlot[] = log.state
    .unreadable()
    .filter(({ state }) => state === 'live')
    .map(({ id, seq, receivedMs, why }) => ({ seq, receivedMs, why, archive: id, giveUp: giveUp.has(seq) }));
  const { unreadableHead: head, seq } = log;
  if (head !== undefined && !slots.some((slot) => slot.seq === seq)) {
    const receivedMs = await log.receivedMs(seq);
    slots.push({ seq, receivedMs, why: head.message, archive: undefined, giveUp: giveUp.has(seq) });
  }
  for (const slot of giveUp) {
    if (slots.some(({ seq: found }) => found === slot)) continue;
    throw new CairnError('USAGE', `log entry ${slot} is not one that can be given up`, {
      hint: 'Only an entry that cannot be read can be; `cairn repair --dry-run` names them.',
    });
  }
  return slots;
}

/**
 * Gives up what the plan says, if it still stands so. Before anything else is appended. Rejects with `CORRUPT` when the newest
 * entry is another one that cannot be read.
 */
export async function giveUpSlots(log: Log, slots: readonly UnreadableSlot[], startedNs: bigint): Promise<void> {
  const chosen = slots.filter(({ giveUp }) => giveUp);
  if (chosen.length === 0) return;
  const about = { startedNs, level: 'repair', objects: 0, bytes: 0, damage: [], lostSegments: [] } as const;
  await log.append(
    (state) => {
      const archives = state
        .unreadable()
        .filter(({ id, state: standing }) => standing === 'live' && chosen.some(({ archive }) => archive === id))
        .map(({ id }) => id);
      if (archives.length > 0) return { kind: 'DELETE', archives, reason: 'their log entries cannot be read' };
      // Nothing is lost by it. Any entry behind it makes it a part of the history.
      return { kind: 'CHECK', ...about, endedNs: startedNs, findings: chosen.length };
    },
    { over: chosen.map(({ seq }) => seq) },
  );
}
