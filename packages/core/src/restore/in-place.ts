import { isCairnError } from '../errors.ts';
import { closeFd, FILE_CONSTANTS, openAt, readLinkAt, statAt, statFd, type FileStatus } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND, ENTRY_KIND_NAME, type TreeEntry } from '../tree/entry.ts';
import type { ContentComparer } from './compare-content.ts';
import type { ExistingMetadata } from './existing-metadata.ts';
import { linkKeyOf, type LinkedFile } from './link-table.ts';
import type { MetadataReport, MetadataWriter } from './metadata-writer.ts';
import type { Overwrite, RestoreActionKind } from './options.ts';
import { isSystemError } from './target-failure.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = FILE_CONSTANTS;

/** Hears what is done, or would be, with a name. */
export interface InPlaceReport extends MetadataReport {
  did(action: RestoreActionKind): void;
}

/** What is to happen with a name: something is made under it, or it is done with (and reported). */
export type Verdict = 'make' | 'leave';

/**
 * Decides what becomes of what is in the target already. Reaches it by name from an open directory, never through a link, and
 * changes the metadata of nothing that has other names: these could be anybody's.
 */
export class InPlace {
  private readonly overwrite: Overwrite;
  private readonly content: ContentComparer;
  private readonly existing: ExistingMetadata;
  private readonly writer: MetadataWriter;
  /** Only look. */
  private readonly dryRun: boolean;
  /** Files with several names that were left alone, by what they are, each with the names that they are to have. */
  private readonly groups = new Map<string, string>();

  constructor(
    overwrite: Overwrite,
    content: ContentComparer,
    existing: ExistingMetadata,
    writer: MetadataWriter,
    dryRun: boolean,
  ) {
    this.overwrite = overwrite;
    this.content = content;
    this.existing = existing;
    this.writer = writer;
    this.dryRun = dryRun;
  }

  /**
   * What becomes of a file. Gives what it is when it stays, so that further names can be linked to it. Throws a system error
   * when the directory cannot be looked into.
   */
  async file(
    dirFd: number,
    entry: TreeEntry,
    report: InPlaceReport,
  ): Promise<Verdict | Pick<LinkedFile, 'device' | 'inode'>> {
    const status = statusOf(dirFd, entry.name);
    const verdict = this.beforeComparing(status, entry, report);
    if (verdict !== undefined || status === undefined) return verdict ?? 'make';
    if (status.kind !== ENTRY_KIND.file || status.size !== entry.size || this.isForeign(status, entry)) {
      return this.replace(report);
    }
    const fd = openExisting(dirFd, entry.name, status);
    if (fd === undefined) return this.replace(report);
    try {
      if (!(await this.hasContent(fd, entry))) return this.replace(report);
      if (!this.settle(fd, status, entry, report)) return this.replace(report);
      this.join(status, entry);
      return { device: status.device, inode: status.inode };
    } finally {
      closeFd(fd);
    }
  }

  /** What becomes of a symlink, FIFO, socket or device. Throws a system error. */
  other(dirFd: number, entry: TreeEntry, report: InPlaceReport): Verdict | Pick<LinkedFile, 'device' | 'inode'> {
    const status = statusOf(dirFd, entry.name);
    const verdict = this.beforeComparing(status, entry, report);
    if (verdict !== undefined || status === undefined) return verdict ?? 'make';
    if (!isSameNode(dirFd, status, entry) || this.isForeign(status, entry)) return this.replace(report);
    if (!this.existing.hasStatus(status, entry)) {
      if (status.links > 1) return this.replace(report);
      if (!this.dryRun) this.writer.finishAt(dirFd, entry, report);
      report.did('attributes');
    } else report.did('unchanged');
    this.join(status, entry);
    return { device: status.device, inode: status.inode };
  }

  /** What becomes of a name that is to be a further one of `file`. Throws a system error. */
  link(dirFd: number, entry: TreeEntry, file: Pick<LinkedFile, 'device' | 'inode'>, report: InPlaceReport): Verdict {
    const status = statusOf(dirFd, entry.name);
    if (status !== undefined && status.device === file.device && status.inode === file.inode) {
      report.did('unchanged');
      return 'leave';
    }
    const verdict = this.beforeComparing(status, entry, report);
    return verdict ?? this.replace(report);
  }

  /** True when something that is no directory may make way for one. */
  mayReplace(dirFd: number, entry: TreeEntry): boolean {
    if (this.overwrite === 'never') return false;
    return this.overwrite !== 'older' || statAt(dirFd, entry.name).mtimeNs < entry.mtimeNs;
  }

  /** True when the metadata of a directory that was there may be changed. @param before as it was found. */
  maySet(before: Pick<FileStatus, 'mtimeNs'>, entry: TreeEntry): boolean {
    return this.overwrite !== 'never' && (this.overwrite !== 'older' || before.mtimeNs < entry.mtimeNs);
  }

  /** What the way of overwriting says without a look at contents. */
  private beforeComparing(
    status: FileStatus | undefined,
    entry: TreeEntry,
    report: InPlaceReport,
  ): Verdict | undefined {
    if (status === undefined) {
      report.did('create');
      return 'make';
    }
    if (status.kind === ENTRY_KIND.directory) {
      report.problem('exists', `there is a directory where a ${ENTRY_KIND_NAME[entry.kind]} is to be`);
      return 'leave';
    }
    if (this.overwrite === 'never' || (this.overwrite === 'older' && status.mtimeNs >= entry.mtimeNs)) {
      report.did('kept');
      return 'leave';
    }
    return this.overwrite === 'always' ? this.replace(report) : undefined;
  }

  private replace(report: InPlaceReport): 'make' {
    report.did('replace');
    return 'make';
  }

  /** Has names that the archive gives to nobody, or to another file. */
  private isForeign(status: FileStatus, entry: TreeEntry): boolean {
    if (status.links <= 1) return false;
    const key = groupOf(entry);
    const known = this.groups.get(`${status.device}:${status.inode}`);
    return key === undefined || (known !== undefined && known !== key);
  }

  private join(status: FileStatus, entry: TreeEntry): void {
    const key = groupOf(entry);
    if (key !== undefined && status.links > 1) this.groups.set(`${status.device}:${status.inode}`, key);
  }

  private async hasContent(fd: number, entry: TreeEntry): Promise<boolean> {
    try {
      return await this.content.isEqual(fd, entry);
    } catch (error) {
      // Making it anew says what is wrong with it: the archive's content, or what is there.
      if (isSystemError(error) || isCairnError(error, 'CORRUPT') || isCairnError(error, 'OBJECT_MISSING')) return false;
      throw error;
    }
  }

  /** Sets the metadata of a file with the right content. False when it must be made anew instead. */
  private settle(fd: number, status: FileStatus, entry: TreeEntry, report: InPlaceReport): boolean {
    if (this.existing.isEqual(fd, status, entry)) {
      report.did('unchanged');
      return true;
    }
    if (statFd(fd).links > 1) return false;
    if (!this.dryRun) this.existing.set(fd, entry, report);
    report.did('attributes');
    return true;
  }
}

function groupOf(entry: TreeEntry): string | undefined {
  const key = linkKeyOf(entry);
  return key && `${key.group}:${key.inode}:${key.kind}`;
}

function isSameNode(dirFd: number, status: FileStatus, entry: TreeEntry): boolean {
  if (status.kind !== entry.kind) return false;
  if (entry.target !== null) return readLinkAt(dirFd, entry.name) === entry.target;
  return entry.device === null || (status.major === entry.device[0] && status.minor === entry.device[1]);
}

/** Undefined when there is nothing of that name. Throws a system error otherwise. */
export function statusOf(dirFd: number, name: ByteString): FileStatus | undefined {
  try {
    return statAt(dirFd, name);
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined when it cannot be read, or is another file by now. */
export function openExisting(dirFd: number, name: ByteString, seen: FileStatus): number | undefined {
  let fd: number;
  try {
    fd = openAt(dirFd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
  const now = statFd(fd);
  if (now.device === seen.device && now.inode === seen.inode && now.kind === seen.kind) return fd;
  closeFd(fd);
  return undefined;
}

/** The directory `name`; undefined when there is none. Throws a system error when it cannot be opened. */
export function openExistingDirectory(dirFd: number, name: ByteString): number | undefined {
  if (statusOf(dirFd, name)?.kind !== ENTRY_KIND.directory) return undefined;
  return openAt(dirFd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}
