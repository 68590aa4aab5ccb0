import type { ByteString } from '../host/byte-path.ts';

/** Says whether an entry matches. `path` is its archive path, beginning with a slash. */
export type PathPredicate = (path: ByteString, isDirectory: boolean) => boolean;

export interface RestoreOptions {
  /** Archive paths, with or without the slash before them: these are restored with all that is below them. Absent: all. */
  readonly paths?: readonly ByteString[];
  /** Only what matches, and everything below a directory that matches. Directories on the way are made when needed. */
  readonly include?: PathPredicate;
  /** What matches is left out, a directory with everything below it. Stronger than `include`. */
  readonly exclude?: PathPredicate;
  /** Names taken off the beginning of every path; an entry with no more names than that is not restored. 0 when absent. */
  readonly stripComponents?: number;
  /** Worker threads; 0 does everything in this thread. Absent: one for each core, up to 4. */
  readonly threads?: number;
  /** Ids as they are in the archive, even where this machine knows the names under others. */
  readonly numericOwner?: boolean;
  /**
   * Also restores what gives rights or binds the system: devices, setuid and setgid of files, xattrs outside of `user.*` and
   * the ACLs, immutable and append-only flags. Only root can; for anybody else it changes nothing.
   */
  readonly privileged?: boolean;
  /** Holes stay holes (the default) instead of being written as zeros. */
  readonly sparse?: boolean;
  /**
   * The target may have content. A directory that is there already is filled and otherwise left as it is; any other name
   * that is there already is left alone and reported.
   */
  readonly intoNonEmpty?: boolean;
  /** Makes of a target with content what the archive says, changing only what differs. Excludes `intoNonEmpty`. */
  readonly inPlace?: InPlaceOptions;
  /**
   * Makes files of which a part is damaged all the same, with zeros in its place. Absent: such a file is left out. Either way each
   * bad range is in the report. Excludes `inPlace` and `verify`.
   */
  readonly withHoles?: boolean;
  /** When all is done, reads every file back that was written, from disk, and compares it with the archive. */
  readonly verify?: boolean;
  /** Begins although the target seems to have too little room: file systems that compress may know better. */
  readonly ignoreSpace?: boolean;
  /**
   * Reads the trees and counts; neither reads the archive's contents nor touches the target. In place it compares what is in the
   * target, and says what would be done.
   */
  readonly dryRun?: boolean;
}

/**
 * What becomes of something that is there. never: it stays; different: it is replaced when content or kind differ, and gets the
 * archive's metadata when only that differs; older: the same, but only when its time is before that in the archive; always: it is
 * replaced, equal or not.
 */
export const OVERWRITES = ['never', 'different', 'older', 'always'] as const;
/** What a restore in place replaces; `docs/guides/restore.md` has the table. */
export type Overwrite = (typeof OVERWRITES)[number];

export interface InPlaceOptions {
  /** `different` unless given. */
  readonly overwrite?: Overwrite;
  /**
   * Removes what is in restored directories and not in the archive: only below sources of an archive that is complete, never
   * through links, never a mount point.
   */
  readonly delete?: boolean;
  /** Never removed, nor what is in it: absolute paths. The store and what a client remembers always are among them. */
  readonly spare?: readonly ByteString[];
}

/** What a restore in place does with a name. kept: it stays although it may differ. */
const RESTORE_ACTIONS = ['create', 'replace', 'attributes', 'unchanged', 'kept', 'delete'] as const;
export type RestoreActionKind = (typeof RESTORE_ACTIONS)[number];

/** What a restore in place does with one entry. */
export interface RestoreAction {
  readonly action: RestoreActionKind;
  /** Archive path. */
  readonly path: ByteString;
}

/** Totals so far. */
export interface RestoreProgress {
  readonly files: number;
  readonly directories: number;
  /** Symlinks, FIFOs, sockets and devices. */
  readonly others: number;
  /** Apparent bytes of the files: holes count, further names of one file do not. */
  readonly bytes: number;
}

/**
 * Kinds of what a restore could not do as asked. delete: something that the archive does not have could not be removed, or must
 * not be; verify: a file reads back other than it was written. The first three say that an entry is not there (damaged: the repository
 * cannot give its content; exists: the name is taken; target: the file system refused), the others that it is there but lacks
 * something (link: it is a file of its own instead of a further name).
 */
const RESTORE_PROBLEM_KINDS = [
  'damaged',
  'exists',
  'target',
  'link',
  'owner',
  'xattr',
  'mode',
  'flags',
  'times',
  'delete',
  'verify',
] as const;
export type RestoreProblemKind = (typeof RESTORE_PROBLEM_KINDS)[number];

/** Something that is not there as the archive has it. */
export interface RestoreProblem {
  readonly kind: RestoreProblemKind;
  /** Archive path. */
  readonly path: ByteString;
  readonly message: string;
}

/** A part of a file that the repository cannot give. */
export interface BadRange {
  /** Archive path. */
  readonly path: ByteString;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly length: number;
}

/** What is left out on purpose unless `privileged`. device: the whole entry; the others: that attribute of an entry. */
const PRIVILEGED_KINDS = ['device', 'setuid', 'xattr', 'immutable'] as const;
export type PrivilegedKind = (typeof PRIVILEGED_KINDS)[number];

/** How a restore went. Partial success is a value; what made going on pointless is an error. */
export interface RestoreReport extends RestoreProgress {
  /** The first 1,000 problems; all are counted. */
  readonly problems: readonly RestoreProblem[];
  readonly problemCounts: Readonly<Partial<Record<RestoreProblemKind, number>>>;
  /** The first 1,000 parts of files that the repository cannot give, and how many bytes all of them have. */
  readonly badRanges: readonly BadRange[];
  readonly badBytes: number;
  /** Entries that took the place of something else; they are counted as restored, too. */
  readonly replaced: number;
  /** Entries that were there and were right, and such that only lacked the right metadata. */
  readonly unchanged: number;
  readonly attributes: number;
  /** Entries that were left alone, for `overwrite` says so. */
  readonly kept: number;
  /** Entries that were removed. */
  readonly deleted: number;
  /** Files that were read back and are right. */
  readonly verified: number;
  /** What was left out for lack of `privileged`. */
  readonly notRestored: Readonly<Partial<Record<PrivilegedKind, number>>>;
}
