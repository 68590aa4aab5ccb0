import { directoryNode, FIRST_FREE } from './nodes.ts';
import type { MountedArchive } from './mounted-archive.ts';

/** A directory of an archive that somebody looked at. */
export interface KnownDirectory {
  readonly number: number;
  readonly node: number;
  readonly archive: MountedArchive;
  /** Undefined for the root of the archive. */
  readonly parent: KnownDirectory | undefined;
  /** Which entry of the parent it is. */
  readonly ordinal: number;
  /** What `..` of it is: the node of the parent, or of the directory that the archive is shown in. */
  readonly parentNode: number;
  /** Known directories in it, by ordinal. */
  readonly children: Map<number, KnownDirectory>;
  /** How often the kernel was told of it and has not forgotten. */
  lookups: number;
}

/** The directories that the kernel knows, or that lead to one. Numbers are given once and never again. */
export class DirectoryTable {
  private readonly directories = new Map<number, KnownDirectory>();
  private nextNumber = FIRST_FREE;

  /** How many are known. */
  get size(): number {
    return this.directories.size;
  }

  /** A fresh number for a directory that is kept elsewhere. */
  takeNumber(): number {
    return this.nextNumber++;
  }

  find(number: number): KnownDirectory | undefined {
    return this.directories.get(number);
  }

  /** The root of an archive, which stays known. */
  addRoot(archive: MountedArchive, number: number, parentNode: number): KnownDirectory {
    const root = {
      number,
      node: directoryNode(number),
      archive,
      parent: undefined,
      ordinal: 0,
      parentNode,
      children: new Map<number, KnownDirectory>(),
      lookups: 1,
    };
    this.directories.set(number, root);
    return root;
  }

  /** The directory that is entry `ordinal` of `parent`. */
  child(parent: KnownDirectory, ordinal: number): KnownDirectory {
    const known = parent.children.get(ordinal);
    if (known !== undefined) return known;
    const number = this.takeNumber();
    const child: KnownDirectory = {
      number,
      node: directoryNode(number),
      archive: parent.archive,
      parent,
      ordinal,
      parentNode: parent.node,
      children: new Map(),
      lookups: 0,
    };
    parent.children.set(ordinal, child);
    this.directories.set(number, child);
    return child;
  }

  /** The kernel forgot so many look-ups. What it does not know any more, and leads nowhere, goes. */
  forget(number: number, count: number): void {
    let directory = this.directories.get(number);
    if (directory === undefined) return;
    directory.lookups = Math.max(0, directory.lookups - count);
    if (directory.lookups === 0) this.dropUnseen(directory);
    while (directory.lookups === 0 && directory.children.size === 0 && directory.parent !== undefined) {
      this.directories.delete(directory.number);
      directory.parent.children.delete(directory.ordinal);
      directory = directory.parent;
    }
  }

  /** Takes away children that have a number because their names were listed, and that nobody looked up. */
  private dropUnseen(directory: KnownDirectory): void {
    for (const [ordinal, { number, lookups, children }] of directory.children) {
      if (lookups > 0 || children.size > 0) continue;
      directory.children.delete(ordinal);
      this.directories.delete(number);
    }
  }
}
