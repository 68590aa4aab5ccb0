import { readLinkAt, xattrsOfFd, type FileStatus } from '../host/at-calls.ts';
import { getInodeFlags } from '../host/inode-flags.ts';
import type { UserTable } from '../host/users.ts';
import { readXattrs } from '../host/xattrs.ts';
import { LIMITS } from '../limits.ts';
import { ENTRY_KIND, STATE_CHANGED, type EntryDetail, type TreeEntry } from '../tree/entry.ts';
import type { HardLinks } from './hard-links.ts';
import type { Problems } from './problems.ts';

/** Detail of an entry about which nothing more is known than its status. */
export const NO_DETAIL: EntryDetail = {
  link: null,
  device: null,
  target: null,
  xattrs: null,
  flags: null,
  holes: null,
  content: null,
  state: 0,
};

/** The years 1677 to 2262, as nanoseconds since 1970 in 64 bits. Some file systems keep times outside. */
const FIRST_TIME = -(2n ** 63n);
const LAST_TIME = 2n ** 63n - 1n;

function nearestTime(ns: bigint): bigint {
  return ns < FIRST_TIME ? FIRST_TIME : ns > LAST_TIME ? LAST_TIME : ns;
}

/** What reading a file told, besides its status. */
export type FileFacts = Pick<EntryDetail, 'xattrs' | 'flags' | 'holes' | 'content'> & { readonly changed: boolean };

/** Makes tree entries of what the file system says. */
export class EntryMaker {
  private readonly users: UserTable;
  private readonly hardLinks: HardLinks;
  private readonly problems: Problems;

  constructor(users: UserTable, hardLinks: HardLinks, problems: Problems) {
    this.users = users;
    this.hardLinks = hardLinks;
    this.problems = problems;
  }

  /** False when no entry can say how large a file is; that is reported, and so is a time that cannot be kept exactly. */
  canKeep(path: string, { size, mtimeNs, ctimeNs }: FileStatus): boolean {
    if (!Number.isSafeInteger(size)) {
      this.problems.add('unsupported', path, 'it is longer than 2^53 bytes and was left out');
      return false;
    }
    if (nearestTime(mtimeNs) !== mtimeNs || nearestTime(ctimeNs) !== ctimeNs) {
      this.problems.add(
        'unsupported',
        path,
        'its time is before 1677 or after 2262; the nearest one that fits was stored',
      );
    }
    return true;
  }

  /** One literal: an object put together by spreading is forty times as slow to make, and this is made for every entry. */
  entry(name: string, status: FileStatus, detail: EntryDetail): TreeEntry {
    const { users } = this;
    return {
      name,
      kind: status.kind,
      mode: status.mode,
      uid: status.uid,
      gid: status.gid,
      mtimeNs: nearestTime(status.mtimeNs),
      ctimeNs: nearestTime(status.ctimeNs),
      size: status.kind === ENTRY_KIND.file ? status.size : 0,
      inode: status.inode,
      user: users.userName(status.uid) ?? null,
      group: users.groupName(status.gid) ?? null,
      link: detail.link,
      device: detail.device,
      target: detail.target,
      xattrs: detail.xattrs,
      flags: detail.flags,
      holes: detail.holes,
      content: detail.content,
      state: detail.state,
    };
  }

  /** A regular file. A change while it was read is a problem of its own. */
  file(name: string, path: string, status: FileStatus, facts: FileFacts): TreeEntry {
    if (facts.changed) this.problems.add('changed', path, 'it changed while it was read');
    return this.entry(name, status, {
      link: this.linkOf(status),
      device: null,
      target: null,
      xattrs: this.boundedXattrs(path, facts.xattrs),
      flags: facts.flags,
      holes: facts.holes,
      content: facts.content,
      state: facts.changed ? STATE_CHANGED : 0,
    });
  }

  /** What there is to say about an open directory besides its content. Throws a system error. */
  directoryDetail(fd: number, path: string): EntryDetail {
    return { ...NO_DETAIL, xattrs: this.boundedXattrs(path, xattrsOfFd(fd)), flags: getInodeFlags(fd) || null };
  }

  /** A symlink, FIFO, device or socket. Throws a system error. */
  special(directoryFd: number, name: string, path: string, status: FileStatus): TreeEntry {
    const xattrs = readXattrs(`/proc/self/fd/${directoryFd}/${name}`);
    const isDevice = status.kind === ENTRY_KIND.character || status.kind === ENTRY_KIND.block;
    return this.entry(name, status, {
      ...NO_DETAIL,
      link: this.linkOf(status),
      device: isDevice ? [status.major, status.minor] : null,
      target: status.kind === ENTRY_KIND.symlink ? readLinkAt(directoryFd, name) : null,
      xattrs: this.boundedXattrs(path, xattrs.length === 0 ? null : xattrs.map(({ name: key, value }) => [key, value])),
    });
  }

  /** The number of the file system of a file with further names. */
  linkOf(status: FileStatus): number | null {
    return status.links > 1 ? this.hardLinks.fileSystem(status.device) : null;
  }

  private boundedXattrs(path: string, xattrs: EntryDetail['xattrs']): EntryDetail['xattrs'] {
    if (xattrs === null) return null;
    const total = xattrs.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
    if (total <= LIMITS.xattrTotalBytes) return xattrs;
    this.problems.add('unsupported', path, 'its extended attributes are too long and were left out');
    return null;
  }
}
