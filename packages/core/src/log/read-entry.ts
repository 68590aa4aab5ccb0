import { CairnError, isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import type { SeenHead } from '../ports/client-state.ts';
import type { CryptoSuite } from '../ports/crypto-suite.ts';
import { decodeDecision } from './decision.ts';
import { decodeLogFrame, readLogFrame } from './entry.ts';
import { decodeLogEntry, type LogEntry } from './kinds.ts';
import { passOver, type UnreadableEntry } from './unreadable.ts';

const DAMAGED_HINT =
  'Copy it back from another copy of the store. When it is the newest entry, `cairn repair --log` can set it aside.';

/** What the object of a slot says. */
export interface ReadEntry {
  readonly entry: LogEntry | UnreadableEntry;
  /** Writer's clock, nanoseconds since 1970. */
  readonly writtenNs: bigint;
  /** Its place: what the next entry has to name. */
  readonly head: SeenHead;
  /** For an entry that cannot be read: what to tell people. */
  readonly doubt: CairnError | undefined;
}

/**
 * Reads the entry of the slot after `previous`. Rejects with `CORRUPT` when it does not follow, or cannot be read and is of a kind
 * that is not passed over; with `FORMAT_UNSUPPORTED` for another version or an unknown kind.
 */
export function readEntry(suite: CryptoSuite, logKey: Uint8Array, previous: SeenHead, object: Uint8Array): ReadEntry {
  const seq = previous.seq + 1;
  const what = `log entry ${seq}`;
  const frame = withHint(() => readLogFrame(object, what));
  if (frame.seq !== seq) throw new CairnError('CORRUPT', `${what} says it is entry ${frame.seq}`);
  if (toHex(frame.previous) !== previous.hash) {
    throw new CairnError('CORRUPT', `${what} does not follow the entry before it`, {
      hint: 'The history was altered. Do not write to this store.',
    });
  }
  const read = { writtenNs: frame.timeNs, head: { seq, hash: toHex(suite.sha256(object)) } };
  try {
    const { kind, publicPart, sealedPart } = decodeLogFrame(suite, logKey, object, what);
    return { ...read, entry: decodeLogEntry(kind, publicPart, sealedPart, what), doubt: undefined };
  } catch (error) {
    const { decision, entry } = withHint(() => {
      const known = decodeDecision(frame.kind, frame.publicPart, what);
      return { decision: known, entry: passOver(known, error) };
    });
    const doubt = new CairnError('CORRUPT', `${what}, a ${decision.kind}, cannot be read: ${entry.why}`, {
      hint: `${DAMAGED_HINT} \`cairn repair --give-up ${seq}\` leaves it there and gives up what it committed.`,
      cause: error,
    });
    return { ...read, entry, doubt };
  }
}

/** What is wrong with the entry itself, with a word on what to do. */
function withHint<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isCairnError(error, 'CORRUPT')) throw error;
    throw new CairnError('CORRUPT', error.message, { hint: DAMAGED_HINT, cause: error });
  }
}
