import { CairnError } from '../errors.ts';
import { displayName, fromUtf8 } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import type { LogEntry } from '../log/kinds.ts';
import type { ArchiveRecord, LogState } from '../log/state.ts';
import type { RepositoryAccess } from '../repository/access.ts';

type Annotation = Extract<LogEntry, { kind: 'ANNOTATE' }>;

/** Changes of tags, in this order: `set` (or what is there) without `remove`, and then `add`. */
export interface TagChange {
  /** Replaces all tags. */
  readonly set?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

const NOTHING = { protect: null, name: null, comment: null, tags: null } as const;

/** Names that would mean something else where an archive is named, or where each is a directory. */
const RESERVED = /^(?:latest|\.|\.\.|[0-9a-f]{32})$|@latest$|\//;

/** What is to be said anew of an archive; what is undefined stays. */
export interface ArchiveChange {
  readonly protect?: boolean | undefined;
  readonly name?: string | undefined;
  readonly comment?: string | undefined;
  readonly tags?: TagChange | undefined;
}

/** What of an archive, as it is at the head of the log, is to be said anew; undefined when it is so already. */
type Change = (archive: ArchiveRecord, state: LogState) => Partial<Annotation> | undefined;

/**
 * Keeps archives from being deleted, or ends that. Gives them as they are afterwards; so do the functions below. All reject
 * with `RIGHT_MISSING` for a key that only backs up, and with `ARCHIVE_MISSING` when an archive was dropped meanwhile.
 */
export async function protectArchives(
  access: RepositoryAccess,
  archives: readonly ArchiveRecord[],
  protect: boolean,
): Promise<ArchiveRecord[]> {
  return await annotate(access, 'protect archives', archives, protecting(protect));
}

/** Gives an archive another name. Rejects with `USAGE` for a name that cannot be, or that another archive has. */
export async function renameArchive(
  access: RepositoryAccess,
  archive: ArchiveRecord,
  name: string,
): Promise<ArchiveRecord> {
  const [renamed = archive] = await annotate(access, 'rename archives', [archive], renaming(name));
  return renamed;
}

/** Sets the comment of archives; the empty text removes it. Rejects with `LIMIT_EXCEEDED` for one that is too long. */
export async function commentArchives(
  access: RepositoryAccess,
  archives: readonly ArchiveRecord[],
  comment: string,
): Promise<ArchiveRecord[]> {
  return await annotate(access, 'comment archives', archives, commenting(comment));
}

/**
 * Changes the tags of archives. What others change at the same time is kept: tags are added to those that are there when it
 * is done. Rejects with `USAGE` for a tag that cannot be, `LIMIT_EXCEEDED` for one that is too long, or for too many.
 */
export async function tagArchives(
  access: RepositoryAccess,
  archives: readonly ArchiveRecord[],
  change: TagChange,
): Promise<ArchiveRecord[]> {
  return await annotate(access, 'tag archives', archives, tagging(change));
}

/** Changes several things of an archive as one entry of the log: all of it is done, or nothing. Rejects as the functions above do. */
export async function changeArchive(
  access: RepositoryAccess,
  archive: ArchiveRecord,
  { protect, name, comment, tags }: ArchiveChange,
): Promise<ArchiveRecord> {
  const changes: readonly Change[] = [
    ...(protect === undefined ? [] : [protecting(protect)]),
    ...(name === undefined ? [] : [renaming(name)]),
    ...(comment === undefined ? [] : [commenting(comment)]),
    ...(tags === undefined ? [] : [tagging(tags)]),
  ];
  const [changed = archive] = await annotate(access, 'change archives', [archive], (present, state) => {
    const all = changes.map((change) => change(present, state)).filter((change) => change !== undefined);
    return all.length === 0 ? undefined : all.reduce((sum, one) => ({ ...sum, ...one }), {});
  });
  return changed;
}

function protecting(protect: boolean): Change {
  return (archive) => (archive.protect === protect ? undefined : { protect });
}

function renaming(name: string): Change {
  if (name === '' || RESERVED.test(name) || !isShownAsIs(name)) {
    throw new CairnError('USAGE', `${JSON.stringify(name)} cannot be the name of an archive`, {
      hint: 'A name has no slash, backslash or control character, is no id, and is not `latest`.',
    });
  }
  bounded('name', name, LIMITS.nameBytes);
  return (archive, state) => {
    if (archive.name === name) return undefined;
    for (const other of state.archives.values()) {
      if (other.name !== name || other.state === 'dropped') continue;
      throw new CairnError('USAGE', `another archive is called ${name}${other.state === 'live' ? '' : ' (deleted)'}`, {
        hint: 'Choose another name.',
      });
    }
    return { name };
  };
}

function commenting(comment: string): Change {
  bounded('comment', comment, LIMITS.commentBytes);
  return (archive) => (archive.comment === comment ? undefined : { comment });
}

function tagging(change: TagChange): Change {
  for (const tag of [...(change.set ?? []), ...(change.add ?? [])]) {
    if (tag === '' || !isShownAsIs(tag)) {
      throw new CairnError('USAGE', `${JSON.stringify(tag)} cannot be a tag`, {
        hint: 'A tag is not empty, and has no backslash and no control character.',
      });
    }
    bounded('tag', tag, LIMITS.tagBytes);
  }
  return (archive) => {
    const tags = changedTags(archive, change);
    const same = tags.length === archive.tags.length && tags.every((tag, i) => archive.tags[i] === tag);
    return same ? undefined : { tags };
  };
}

function changedTags(archive: ArchiveRecord, { set, add = [], remove = [] }: TagChange): string[] {
  const kept = (set ?? archive.tags).filter((tag) => !remove.includes(tag));
  const tags = [...new Set([...kept, ...add])];
  if (tags.length <= LIMITS.tags) return tags;
  throw new CairnError('LIMIT_EXCEEDED', `${archive.name} would have ${tags.length} tags`, {
    hint: `An archive has at most ${LIMITS.tags}.`,
  });
}

/** False for what could drive a terminal or reorder its line, and for what is no text. */
function isShownAsIs(text: string): boolean {
  return displayName(fromUtf8(text)) === text;
}

function bounded(what: string, text: string, bytes: number): void {
  const length = Buffer.byteLength(text);
  if (length <= bytes) return;
  throw new CairnError('LIMIT_EXCEEDED', `a ${what} of ${length} bytes is too long`, {
    hint: `At most ${bytes} bytes are kept.`,
  });
}

/**
 * Appends what is to be said about each archive, the same about several in one entry. Each is looked at once, as it is at the
 * head of the append: two clients who want the contrary do not answer each other for ever.
 */
async function annotate(
  access: RepositoryAccess,
  action: string,
  archives: readonly ArchiveRecord[],
  change: Change,
): Promise<ArchiveRecord[]> {
  access.refuseWriteOnly(action);
  let waiting = new Set(archives.map(({ id }) => id));
  for (;;) {
    let taken: ReadonlySet<string> = new Set();
    const seq = await access.log.append((state) => {
      const changes = [...waiting].map((id) => ({ id, change: change(annotatable(state, id), state) }));
      const first = changes.find((one) => one.change !== undefined);
      if (first?.change === undefined) return undefined;
      const text = JSON.stringify(first.change);
      taken = new Set(changes.filter((one) => JSON.stringify(one.change) === text).map(({ id }) => id));
      return { kind: 'ANNOTATE', ...NOTHING, ...first.change, archives: [...taken] };
    });
    if (seq === undefined) break;
    waiting = new Set([...waiting].filter((id) => !taken.has(id)));
  }
  const { state } = access.log;
  return archives.map((archive) => state.archives.get(archive.id) ?? archive);
}

function annotatable(state: LogState, id: string): ArchiveRecord {
  const archive = state.archives.get(id);
  if (archive !== undefined && archive.state !== 'dropped') return archive;
  throw new CairnError('ARCHIVE_MISSING', `${archive?.name ?? id} is gone: its space was given back`, {
    hint: 'See what there is with `cairn list`.',
  });
}
