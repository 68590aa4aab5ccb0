import { chmodSync } from 'node:fs';

import { invariant } from '../errors.ts';
import {
  changeModeFd,
  changeOwnerAt,
  changeOwnerFd,
  closeFd,
  FILE_CONSTANTS,
  openAt,
  setMtimeAt,
  setMtimeFd,
  setXattrFd,
  statFd,
} from '../host/at-calls.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { EARLY_INODE_FLAGS, FINAL_INODE_FLAGS, KEPT_INODE_FLAGS, setInodeFlags } from '../host/inode-flags.ts';
import type { UserTable } from '../host/users.ts';
import { setXattr } from '../host/xattrs.ts';
import { ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import type { Placement } from './new-file.ts';
import type { PrivilegedKind, RestoreProblemKind } from './options.ts';
import { isSystemError } from './target-failure.ts';

/** How entries are made. A plain value: it is sent to worker threads. */
export interface RestorePolicy {
  /** Asked for, and this process is root. */
  readonly privileged: boolean;
  readonly numericOwner: boolean;
  readonly sparse: boolean;
  /** Files are made although parts of them are damaged. */
  readonly withHoles: boolean;
  /** How files, links and special files get their names. */
  readonly placement: Placement;
}

/** Hears what of an entry's metadata could not be set. */
export interface MetadataReport {
  problem(kind: RestoreProblemKind, reason: string): void;
  notRestored(kind: PrivilegedKind): void;
}

/** To chown(2), "leave it as it is": no id of anybody. */
const NO_ID = 0xffff_ffff;
/** linux/fcntl.h, the same on all machines that Cairn supports: a descriptor that names a file without opening it. */
const O_PATH = 0o10000000;
const SET_ID_BITS = 0o6000;

/** Namespaces that the owner of a file may write (xattr(7)) and that give nobody rights beyond the file. */
export function isOrdinaryXattr(name: ByteString): boolean {
  return name.startsWith('user.') || name.startsWith('system.posix_acl_');
}

/**
 * Sets owner, xattrs, mode, flags and times, in this order: chown(2) clears setuid bits and capabilities, an ACL and the mode
 * share bits, and what comes before the times would change them. What cannot be set is reported and the rest goes on.
 */
export class MetadataWriter {
  private readonly policy: RestorePolicy;
  private readonly users: UserTable;

  constructor(policy: RestorePolicy, users: UserTable) {
    this.policy = policy;
    this.users = users;
  }

  /** Flags that must be there before the first byte is written. What fails here is reported by `finish`. */
  begin(fd: number, entry: TreeEntry): void {
    const early = (entry.flags ?? 0) & EARLY_INODE_FLAGS;
    if (early !== 0) setInodeFlags(fd, early, early);
  }

  /** Everything about an open file or directory whose content is complete. */
  finish(fd: number, entry: TreeEntry, report: MetadataReport): void {
    const owned = this.setOwner((uid, gid) => changeOwnerFd(fd, uid, gid), entry, report);
    this.setXattrs((name, value) => setXattrFd(fd, name, value), entry, report);
    const mode = this.allowedMode(entry, owned, report);
    attempt('mode', report, () => changeModeFd(fd, mode));
    const flags = (entry.flags ?? 0) & KEPT_INODE_FLAGS;
    setFlags(fd, flags & ~FINAL_INODE_FLAGS, report);
    attempt('times', report, () => setMtimeFd(fd, entry.mtimeNs));
    // A file that is immutable could not get its name any more.
    const placed = entry.kind !== ENTRY_KIND.file || this.policy.placement === 'direct';
    if (placed) this.setFinalFlags(fd, flags & FINAL_INODE_FLAGS, report);
  }

  /** What of a file can be set only when it has its name in the directory `dirFd`. */
  afterPlacing(dirFd: number, { name, flags }: TreeEntry, report: MetadataReport): void {
    const final = (flags ?? 0) & FINAL_INODE_FLAGS;
    if (final === 0 || this.policy.placement === 'direct') return;
    attempt('flags', report, () => {
      const fd = openAt(dirFd, name, FILE_CONSTANTS.O_RDONLY | FILE_CONSTANTS.O_NOFOLLOW);
      try {
        this.setFinalFlags(fd, final, report);
      } finally {
        closeFd(fd);
      }
    });
  }

  private setFinalFlags(fd: number, final: number, report: MetadataReport): void {
    if (final !== 0 && !this.policy.privileged) report.notRestored('immutable');
    else setFlags(fd, final, report);
  }

  /** The same for what cannot be opened: a symlink, FIFO, socket or device just made in the directory `dirFd`. */
  finishAt(dirFd: number, entry: TreeEntry, report: MetadataReport): void {
    const { name } = entry;
    const owned = this.setOwner((uid, gid) => changeOwnerAt(dirFd, name, uid, gid), entry, report);
    this.setXattrs((xattr, value) => setXattr(`/proc/self/fd/${dirFd}/${name}`, xattr, value), entry, report);
    if (entry.kind !== ENTRY_KIND.symlink) {
      const mode = this.allowedMode(entry, owned, report);
      attempt('mode', report, () => changeModeAt(dirFd, entry, mode));
    }
    attempt('times', report, () => setMtimeAt(dirFd, name, entry.mtimeNs));
  }

  /** True when the owner is what the archive says. */
  private setOwner(change: (uid: number, gid: number) => void, entry: TreeEntry, report: MetadataReport): boolean {
    const { uid, gid } = this.ownerOf(entry);
    if (uid === NO_ID || gid === NO_ID) {
      report.problem('owner', `${uid}:${gid} is no owner`);
      return false;
    }
    try {
      change(uid, gid);
      return true;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code === 'EPERM') groupOnly(change, gid);
      report.problem('owner', error.message);
      return false;
    }
  }

  /** The owner that an entry is to have on this machine. */
  ownerOf(entry: TreeEntry): { readonly uid: number; readonly gid: number } {
    const { numericOwner } = this.policy;
    const named = (name: string | null, id: (name: string) => number | undefined): number | undefined =>
      name === null || numericOwner ? undefined : id(name);
    const uid = named(entry.user, this.users.userId) ?? entry.uid;
    const gid = named(entry.group, this.users.groupId) ?? entry.gid;
    return { uid, gid };
  }

  private setXattrs(
    set: (name: ByteString, value: Uint8Array) => void,
    { xattrs }: TreeEntry,
    report: MetadataReport,
  ): void {
    for (const [name, value] of xattrs ?? []) {
      if (!this.policy.privileged && !isOrdinaryXattr(name)) report.notRestored('xattr');
      else attempt('xattr', report, () => set(name, value), displayName(name));
    }
  }

  /**
   * The mode to set. Setuid and setgid of a file act for its owner, so they also need the right one; setgid of a directory
   * only hands on the group.
   */
  private allowedMode({ kind, mode }: TreeEntry, owned: boolean, report: MetadataReport): number {
    if (kind === ENTRY_KIND.directory || (mode & SET_ID_BITS) === 0) return mode;
    if (this.policy.privileged && owned) return mode;
    report.notRestored('setuid');
    return mode & ~SET_ID_BITS;
  }
}

/** Who may not give files away may still give them to a group of his own. */
function groupOnly(change: (uid: number, gid: number) => void, gid: number): void {
  try {
    change(NO_ID, gid);
  } catch (error) {
    // The caller reports the owner as not set, group included.
    if (!isSystemError(error)) throw error;
  }
}

function setFlags(fd: number, flags: number, report: MetadataReport): void {
  if (flags === 0) return;
  attempt('flags', report, () => {
    const missing = setInodeFlags(fd, flags, flags);
    if (missing !== 0) report.problem('flags', `the file system refuses the inode flags 0x${missing.toString(16)}`);
  });
}

/** chmod(2) would follow a link that somebody put there; through a descriptor of the node itself it cannot. */
function changeModeAt(dirFd: number, { name, kind }: TreeEntry, mode: number): void {
  const fd = openAt(dirFd, name, O_PATH | FILE_CONSTANTS.O_NOFOLLOW);
  try {
    invariant(kind !== ENTRY_KIND.symlink, 'a symlink has no mode of its own');
    if (statFd(fd).kind === kind) chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeFd(fd);
  }
}

function attempt(kind: RestoreProblemKind, report: MetadataReport, action: () => void, what?: string): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    report.problem(kind, what === undefined ? error.message : `${what}: ${error.message}`);
  }
}
