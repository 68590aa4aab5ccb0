import { CairnError } from '../errors.ts';
import type { Log } from './log.ts';

/**
 * What people have to be told of the log that was opened: archives that are not listed because their entries cannot be read, and
 * a newest entry behind which nobody appends. Empty when all is well, and when they were given up.
 */
export function doubtsOf(log: Log): CairnError[] {
  const { unreadableHead } = log;
  const doubts = log.state
    .unreadable()
    // What is said of the newest entry says all of it.
    .filter(({ state, seq }) => state === 'live' && (unreadableHead === undefined || seq < log.seq))
    .map(({ seq, receivedMs, why }) => unreadableArchive(seq, receivedMs, why));
  return unreadableHead === undefined ? doubts : [...doubts, unreadableHead];
}

function unreadableArchive(seq: number, receivedMs: number, why: string): CairnError {
  const when = new Date(receivedMs).toISOString();
  return new CairnError(
    'CORRUPT',
    `log entry ${seq}, received ${when}, commits an archive that nobody can read: ${why}`,
    {
      hint:
        'Everything else is as it was. On a server, `cairn-server audit` says whose credential wrote it: if nobody else does, ' +
        `revoke that. \`cairn repair --give-up ${seq}\` gives the archive up.`,
      details: { seq },
    },
  );
}
