import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

import { CairnError, systemErrorCode } from '../errors.ts';
import { closeFd, statFd } from '../host/at-calls.ts';
import type { ByteString } from '../host/byte-path.ts';
import { isSuperuser } from '../host/effective-user.ts';
import type { ChosenEntry, WalkVisitor } from './archive-walk.ts';
import { ExistingDirectories } from './existing-directories.ts';
import { statusOf } from './in-place.ts';
import { linkKeyOf, LinkTable } from './link-table.ts';
import type { StopSwitch } from './stop-switch.ts';
import { TargetDirectory } from './target-directory.ts';

/** Bytes that the file system of a place, or of what will hold it, has room for; undefined when it does not tell. */
export function roomAt(path: string): number | undefined {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      const { bavail, bfree, bsize, blocks } = statfsSync(at);
      // Some file systems of the network tell nothing.
      return blocks === 0 ? undefined : (isSuperuser() ? bfree : bavail) * bsize;
    } catch (error) {
      const code = systemErrorCode(error);
      if ((code !== 'ENOENT' && code !== 'ENOTDIR') || at === dirname(at)) return undefined;
    }
  }
}

/** Rejects with `TARGET_FAILED` when what is to be written does not fit. */
export function assertRoom(target: string, neededBytes: number, room: number): void {
  if (neededBytes <= room) return;
  throw new CairnError('TARGET_FAILED', `${target} has room for ${room} bytes, the restore needs ${neededBytes}`, {
    hint: 'Nothing was written. Make room, restore less, or begin nevertheless with --ignore-space.',
    details: { needed: neededBytes, room },
  });
}

/**
 * Adds up what a restore takes on the file system of the target, at the least: content without holes, of each file once, without
 * what lies there already.
 */
export class SpaceSurvey implements WalkVisitor {
  bytes = 0;
  private readonly stop: StopSwitch;
  /** Names that are taken stay as they are. */
  private readonly keeps: boolean;
  private readonly directories = new ExistingDirectories();
  private readonly links = new LinkTable();
  private readonly open = new Set<TargetDirectory>();
  private readonly device: number | undefined;

  /** @param target its descriptor, −1 when it does not exist. */
  constructor(stop: StopSwitch, keeps: boolean, target: number) {
    this.stop = stop;
    this.keeps = keeps;
    this.device = target === -1 ? undefined : statFd(target).device;
  }

  enter({ site, entry }: ChosenEntry, path: ByteString): TargetDirectory {
    const directory = new TargetDirectory(site.directory, entry.name, path, 0, undefined);
    if (this.directories.enter(directory) !== -1) this.open.add(directory);
    return directory;
  }

  file({ site, entry }: ChosenEntry): undefined {
    const key = linkKeyOf(entry);
    if (key !== undefined && this.links.has(key)) return;
    if (key !== undefined) this.links.begin(key);
    this.bytes += this.missing(site.directory, entry.name, entry.size, entry.content?.length ?? 0);
  }

  other(): void {
    // Takes an inode, no room worth counting.
  }

  leave(directory: TargetDirectory): void {
    this.open.delete(directory);
    this.directories.leave(directory);
  }

  damaged(): void {
    // Takes no room.
  }

  check(): void {
    this.stop.check();
  }

  /** Closes what is still open. */
  close(target: TargetDirectory): void {
    for (const directory of this.open) this.directories.leave(directory);
    if (target.fd !== -1) closeFd(target.fd);
  }

  private missing(directory: TargetDirectory, name: ByteString, size: number, content: number): number {
    if (directory.fd === -1) return content;
    // What is mounted in the target has room of its own.
    if (statFd(directory.fd).device !== this.device) return 0;
    const status = statusOf(directory.fd, name);
    if (status === undefined) return content;
    return this.keeps || status.size === size ? 0 : Math.max(0, content - status.blocks * 512);
  }
}
