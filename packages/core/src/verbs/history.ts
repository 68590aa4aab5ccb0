import type { LogKind } from '../log/decision.ts';
import { originOf } from '../log/descriptor.ts';
import type { LogEntry } from '../log/kinds.ts';
import type { LoggedEntry } from '../log/log.ts';
import type { UnreadableEntry } from '../log/unreadable.ts';
import type { RepositoryAccess } from '../repository/access.ts';

/** Which entries of the log are told; all unless it says otherwise. */
export interface HistoryOptions {
  /** Only entries of these kinds. */
  readonly kinds?: readonly LogKind[];
  /** Only entries about this archive, 32 hex digits. */
  readonly archive?: string;
  /** Only entries that the store received at this time or later, milliseconds since 1970. */
  readonly sinceMs?: number;
  /** Only so many of the newest, after the other conditions. */
  readonly last?: number;
}

/** An entry of the log with what earlier entries say about it. */
export interface HistoryEntry extends LoggedEntry {
  /** Ids of the archives that it is about: of an UNPIN, those of its pin. */
  readonly archives: readonly string[];
  /** Who holds, or held, the pin of a PIN or UNPIN. */
  readonly holder: string | undefined;
  /** Of the COMMIT of an archive that was made from another one: that one's id. */
  readonly origin: string | undefined;
}

/**
 * What was decided: entries of the log, the oldest first. All times are those of the store. Needs a key that can read the log;
 * rejects like `Log.entries`.
 */
export async function* history(access: RepositoryAccess, options: HistoryOptions = {}): AsyncGenerator<HistoryEntry> {
  const { last = Infinity } = options;
  if (last === Infinity) {
    yield* matching(access, options);
    return;
  }
  const newest: HistoryEntry[] = [];
  for await (const entry of matching(access, options)) {
    newest.push(entry);
    if (newest.length > last) newest.shift();
  }
  yield* newest;
}

async function* matching(access: RepositoryAccess, options: HistoryOptions): AsyncGenerator<HistoryEntry> {
  const { kinds, archive, sinceMs = -Infinity } = options;
  const pins = new Map<string, Extract<LogEntry, { kind: 'PIN' }>>();
  for await (const logged of access.log.entries()) {
    const { entry } = logged;
    const kind = entry.kind === 'UNREADABLE' ? entry.decision.kind : entry.kind;
    if (entry.kind === 'PIN') pins.set(entry.pin, entry);
    const pin = entry.kind === 'PIN' || entry.kind === 'UNPIN' ? pins.get(entry.pin) : undefined;
    if (entry.kind === 'UNPIN') pins.delete(entry.pin);
    const archives = pin?.archives ?? archivesOf(entry);
    const wanted =
      (kinds === undefined || kinds.includes(kind)) &&
      (archive === undefined || archives.includes(archive)) &&
      logged.receivedMs >= sinceMs;
    if (!wanted) continue;
    const origin = entry.kind === 'COMMIT' ? originOf(entry.descriptor) : undefined;
    yield { ...logged, archives, holder: pin?.holder, origin };
  }
}

function archivesOf(entry: LogEntry | UnreadableEntry): readonly string[] {
  switch (entry.kind) {
    case 'UNREADABLE':
      return entry.decision.kind === 'COMMIT' ? [entry.decision.archive] : [];
    case 'COMMIT':
      return [entry.archive];
    case 'DELETE':
    case 'UNDELETE':
    case 'ANNOTATE':
    case 'PIN':
      return entry.archives;
    case 'CONDEMN':
      return entry.dropped;
    case 'UNPIN':
    case 'SWEEP':
    case 'INDEX':
    case 'CHECK':
    case 'RESCUE':
      return [];
  }
}
