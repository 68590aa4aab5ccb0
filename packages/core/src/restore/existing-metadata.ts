import { changeModeFd, removeXattrFd, xattrsOfFd, type FileStatus } from '../host/at-calls.ts';
import { FINAL_INODE_FLAGS, getInodeFlags, KEPT_INODE_FLAGS } from '../host/inode-flags.ts';
import { ENTRY_KIND, type TreeEntry } from '../tree/entry.ts';
import { isOrdinaryXattr, type MetadataReport, type MetadataWriter, type RestorePolicy } from './metadata-writer.ts';
import { isSystemError } from './target-failure.ts';

const SET_ID_BITS = 0o6000;

/** Compares and changes the metadata of what is in the target already. What a restore would not set, it does not compare. */
export class ExistingMetadata {
  private readonly writer: MetadataWriter;
  private readonly policy: RestorePolicy;

  constructor(writer: MetadataWriter, policy: RestorePolicy) {
    this.writer = writer;
    this.policy = policy;
  }

  /** True when owner, mode and time are those of the archive: all that `stat` tells. */
  hasStatus(status: FileStatus, entry: TreeEntry): boolean {
    const { uid, gid } = this.writer.ownerOf(entry);
    if (status.uid !== uid || status.gid !== gid || status.mtimeNs !== entry.mtimeNs) return false;
    if (entry.kind === ENTRY_KIND.symlink) return true;
    const compared = this.policy.privileged || entry.kind === ENTRY_KIND.directory ? 0o7777 : 0o7777 & ~SET_ID_BITS;
    return (status.mode & compared) === (entry.mode & compared);
  }

  /** The same for an open file or directory, with attributes and flags. Throws a system error. */
  isEqual(fd: number, status: FileStatus, entry: TreeEntry): boolean {
    return this.hasStatus(status, entry) && this.hasXattrs(fd, entry) && this.hasFlags(fd, entry);
  }

  /** Makes the metadata of an open file or directory that of the archive. */
  set(fd: number, entry: TreeEntry, report: MetadataReport): void {
    const wanted = new Set((entry.xattrs ?? []).map(([name]) => name));
    for (const [name] of this.comparable(xattrsOfFd(fd))) if (!wanted.has(name)) this.remove(fd, name, report);
    // An owner that has no right of writing could set no attributes.
    if (entry.xattrs !== null && entry.kind === ENTRY_KIND.file) quietly(() => changeModeFd(fd, 0o600));
    this.writer.finish(fd, entry, report);
  }

  private remove(fd: number, name: string, report: MetadataReport): void {
    try {
      removeXattrFd(fd, name);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      report.problem('xattr', error.message);
    }
  }

  private hasXattrs(fd: number, entry: TreeEntry): boolean {
    const there = this.comparable(xattrsOfFd(fd));
    const wanted = this.comparable(entry.xattrs);
    return (
      there.length === wanted.length &&
      there.every(([name, value], i) => {
        const other = wanted[i];
        return other !== undefined && other[0] === name && Buffer.compare(other[1], value) === 0;
      })
    );
  }

  private comparable(xattrs: TreeEntry['xattrs']): NonNullable<TreeEntry['xattrs']> {
    return (xattrs ?? []).filter(([name]) => this.policy.privileged || isOrdinaryXattr(name));
  }

  private hasFlags(fd: number, { flags }: TreeEntry): boolean {
    const wanted = (flags ?? 0) & (this.policy.privileged ? KEPT_INODE_FLAGS : KEPT_INODE_FLAGS & ~FINAL_INODE_FLAGS);
    return wanted === 0 || ((getInodeFlags(fd) ?? 0) & wanted) === wanted;
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!isSystemError(error)) throw error;
  }
}
