import { CairnError } from '../errors.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';

/** Candidates that an error names. */
const SHOWN_CANDIDATES = 5;
/** Digits of an id that are enough to mean one: fewer are met by chance. */
const ID_PREFIX_DIGITS = 4;
const LATEST = 'latest';
const LATEST_OF_SERIES = '@latest';

/** Among which archives one is looked for; live ones unless it says otherwise. */
export interface ResolveOptions {
  /** `true`: also find archives that are deleted but can be brought back. `'only'`: nothing else. */
  readonly deleted?: boolean | 'only';
  /** Every archive that ever was, also those that are gone: only the log knows them. */
  readonly dropped?: boolean;
}

/**
 * The archive that a person means by `ref`, the first of these that fits: `latest`; `SERIES@latest`; a full id; a full name;
 * the beginning of an id (4 digits or more) or of a name, if only one archive has it. `latest` goes by the order of the log,
 * which no clock can change. Rejects with `ARCHIVE_MISSING` or `ARCHIVE_AMBIGUOUS`.
 */
export function resolveArchive(state: LogState, ref: string, options: ResolveOptions = {}): ArchiveRecord {
  const { deleted = false, dropped = false } = options;
  const archives = dropped ? inOrder([...state.archives.values()]) : present(state, deleted);
  const found = ref.length === 0 ? [] : candidates(archives, ref);
  const [archive] = found;
  if (archive === undefined) throw missing(state, ref, archives);
  if (found.length > 1) throw ambiguous(ref, found);
  return archive;
}

function candidates(archives: readonly ArchiveRecord[], ref: string): readonly ArchiveRecord[] {
  if (ref === LATEST) return archives.slice(-1);
  const byId = archives.filter((archive) => archive.id === ref.toLowerCase());
  if (byId.length > 0) return byId;
  const byName = archives.filter((archive) => archive.name === ref);
  if (byName.length > 0) return byName;
  if (ref.endsWith(LATEST_OF_SERIES)) {
    const series = ref.slice(0, -LATEST_OF_SERIES.length);
    return archives.filter((archive) => archive.descriptor.series === series).slice(-1);
  }
  const isIdPrefix = ref.length >= ID_PREFIX_DIGITS && /^[0-9a-f]+$/i.test(ref);
  return archives.filter(
    (archive) => archive.name.startsWith(ref) || (isIdPrefix && archive.id.startsWith(ref.toLowerCase())),
  );
}

/** Archives that can be read, in their order: that of their COMMITs, a rewritten one in the place of its original. */
function present(state: LogState, deleted: boolean | 'only'): ArchiveRecord[] {
  return inOrder(
    [...state.archives.values()].filter((archive) =>
      archive.state === 'live' ? deleted !== 'only' : archive.state === 'deleted' && deleted !== false,
    ),
  );
}

function inOrder(archives: ArchiveRecord[]): ArchiveRecord[] {
  return archives.sort((a, b) => a.order - b.order || a.seq - b.seq);
}

function missing(state: LogState, ref: string, searched: readonly ArchiveRecord[]): CairnError {
  const [other] = candidates(
    [...state.archives.values()].filter((archive) => !searched.includes(archive)),
    ref,
  );
  return new CairnError('ARCHIVE_MISSING', `there is no archive ${JSON.stringify(ref)}`, {
    hint:
      other === undefined || ref === LATEST
        ? `See what there is with \`cairn list\`.${shortId(ref)}`
        : whereabouts(other),
  });
}

/** A word to who gave the beginning of an id that is too short to mean one. */
function shortId(ref: string): string {
  const isShort = ref.length > 0 && ref.length < ID_PREFIX_DIGITS && /^[0-9a-f]+$/i.test(ref);
  return isShort ? ` Of an id, ${ID_PREFIX_DIGITS} digits or more are needed.` : '';
}

/** Why an archive that exists is not among those that were searched. */
function whereabouts({ name, state }: ArchiveRecord): string {
  if (state === 'live') return `${name} is not deleted.`;
  if (state === 'deleted') return `${name} was deleted; \`cairn undelete ${name}\` brings it back.`;
  return `${name} was deleted and is gone: its space was given back. See what there is with \`cairn list\`.`;
}

function ambiguous(ref: string, found: readonly ArchiveRecord[]): CairnError {
  const newestFirst = found.toReversed();
  const shown = newestFirst.slice(0, SHOWN_CANDIDATES).map((archive) => `${archive.name} (${archive.id.slice(0, 8)})`);
  const more = found.length > shown.length ? `, and ${found.length - shown.length} more` : '';
  const series = found.every((archive) => archive.descriptor.series === ref) ? ` Newest: \`${ref}@latest\`.` : '';
  return new CairnError('ARCHIVE_AMBIGUOUS', `${found.length} archives match ${JSON.stringify(ref)}`, {
    hint: `Name one: ${shown.join(', ')}${more}.${series}`,
  });
}

/** Which archives are listed; all live ones unless it says otherwise. */
export interface ListArchivesOptions {
  readonly series?: string;
  readonly host?: string;
  /** Archives that have all of these. */
  readonly tags?: readonly string[];
  /** Only so many of the newest, after the other conditions. */
  readonly last?: number;
  /** `true`: deleted ones too. `'only'`: nothing else. */
  readonly deleted?: boolean | 'only';
}

/** The archives that meet all conditions, oldest COMMIT first. Dropped archives are never among them. */
export function listArchives(state: LogState, options: ListArchivesOptions = {}): ArchiveRecord[] {
  const { series, host, tags = [], last, deleted = false } = options;
  const found = present(state, deleted).filter(
    (archive) =>
      (series === undefined || archive.descriptor.series === series) &&
      (host === undefined || archive.descriptor.host === host) &&
      tags.every((tag) => archive.tags.includes(tag)),
  );
  return last === undefined ? found : found.slice(Math.max(0, found.length - last));
}
