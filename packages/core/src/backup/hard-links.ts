import type { FileStatus } from '../host/at-calls.ts';
import type { TreeEntry } from '../tree/entry.ts';

/**
 * Names of one file: the first is read, the others take over what it gave. A file is forgotten once as many of its names were
 * met as it has, so memory holds only those that are still expected.
 */
export class HardLinks {
  private readonly files = new Map<string, { left: number; readonly entry: Promise<TreeEntry | undefined> }>();
  private readonly devices = new Map<number, number>();

  /** Number of the file system among those of this archive, in the order they were met. */
  fileSystem(device: number): number {
    let number = this.devices.get(device);
    if (number === undefined) {
      number = this.devices.size;
      this.devices.set(device, number);
    }
    return number;
  }

  /** What the first name gave, when this is a further name of a file met before. */
  met(status: FileStatus): Promise<TreeEntry | undefined> | undefined {
    const key = keyOf(status);
    const file = this.files.get(key);
    if (file === undefined) return undefined;
    file.left -= 1;
    if (file.left <= 0) this.files.delete(key);
    return file.entry;
  }

  /** Announces the first name of a file that has others. */
  first(status: FileStatus, entry: Promise<TreeEntry | undefined>): void {
    this.files.set(keyOf(status), { left: status.links - 1, entry });
  }
}

function keyOf(status: FileStatus): string {
  return `${status.device}:${status.inode}`;
}
