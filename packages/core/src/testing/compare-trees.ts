import { lstatSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { displayName, fsPath } from '../host/byte-path.ts';
import type { ByteString } from '../host/byte-path.ts';
import { COMPARISONS, kindOf } from './compare-entries.ts';
import type { Attribute, Side } from './compare-entries.ts';
import { DirectoryCursor } from './directory-cursor.ts';

export interface CompareOptions {
  /** Attributes not compared. Names and kinds always are. */
  readonly ignore?: readonly Attribute[];
  /** Leaves out the attributes of the two roots themselves. */
  readonly ignoreRoot?: boolean;
  /** Leaves out entries, and what is below them, by their path relative to the root. */
  readonly ignorePath?: (path: ByteString) => boolean;
  /** Also demands that no file of `b` takes more room on disk than its pair in `a`, but for `slackBytes`. */
  readonly sparse?: boolean;
  /** Room that may differ between file systems, 64 KiB when absent. */
  readonly slackBytes?: number;
  /** The comparison ends after so many differences, 100 when absent. */
  readonly limit?: number;
}

/** `st_blocks` counts in this unit, whatever the block size of the file system (stat(2)). */
const STAT_BLOCK_BYTES = 512n;

/**
 * Compares two directory trees in all that a backup promises to keep. Shares with the backup nothing but the system
 * calls of `host`. Gives one line per difference; none means equal. Works at any depth. Throws a system error when
 * something cannot be read.
 */
export function compareTrees(a: ByteString, b: ByteString, options: CompareOptions = {}): string[] {
  const cursorA = new DirectoryCursor(a);
  try {
    const cursorB = new DirectoryCursor(b);
    try {
      return new TreeComparison(cursorA, cursorB, options).run();
    } finally {
      cursorB.close();
    }
  } finally {
    cursorA.close();
  }
}

class TreeComparison {
  readonly #a: DirectoryCursor;
  readonly #b: DirectoryCursor;
  readonly #options: CompareOptions;
  readonly #ignored: ReadonlySet<Attribute>;
  readonly #limit: number;
  readonly #differences: string[] = [];
  /** The path under which an inode with several names was first met, by device and inode. */
  readonly #firstNameA = new Map<string, ByteString>();
  readonly #firstNameB = new Map<string, ByteString>();

  constructor(a: DirectoryCursor, b: DirectoryCursor, options: CompareOptions) {
    this.#a = a;
    this.#b = b;
    this.#options = options;
    this.#ignored = new Set(options.ignore);
    this.#limit = options.limit ?? 100;
  }

  run(): string[] {
    if (this.#options.ignoreRoot !== true)
      this.#compareAttributes('.', this.#side(this.#a, '.'), this.#side(this.#b, '.'));
    const pending = [this.#commonNames()];
    for (let names = pending.at(-1); names !== undefined; names = pending.at(-1)) {
      if (this.#differences.length >= this.#limit) break;
      const name = names.pop();
      if (name === undefined) {
        pending.pop();
        this.#a.leave();
        this.#b.leave();
      } else if (this.#compareEntry(name)) {
        this.#a.enter(name);
        this.#b.enter(name);
        pending.push(this.#commonNames());
      }
    }
    return this.#differences;
  }

  /** Names in both current directories, last first; reports the others. */
  #commonNames(): ByteString[] {
    const wanted = (name: ByteString) => this.#options.ignorePath?.(this.#a.relativePath(name)) !== true;
    const namesA = this.#a.list().filter(wanted);
    const namesB = this.#b.list().filter(wanted);
    const inA = new Set(namesA);
    const inB = new Set(namesB);
    for (const name of namesA) if (!inB.has(name)) this.#report(this.#a.relativePath(name), 'only in the first tree');
    for (const name of namesB) if (!inA.has(name)) this.#report(this.#a.relativePath(name), 'only in the second tree');
    return namesA.filter((name) => inB.has(name)).reverse();
  }

  /** True when both are directories, to be entered. */
  #compareEntry(name: ByteString): boolean {
    const a = this.#side(this.#a, name);
    const b = this.#side(this.#b, name);
    const path = this.#a.relativePath(name);
    const kinds = [kindOf(a.stats), kindOf(b.stats)];
    if (kinds[0] !== kinds[1]) {
      this.#report(path, `kind ${kinds.join(' != ')}`);
      return false;
    }
    this.#compareAttributes(path, a, b);
    if (a.stats.isDirectory()) return true;
    if (!this.#ignored.has('links')) this.#compareLinks(path, a.stats, b.stats);
    return false;
  }

  #compareAttributes(path: ByteString, a: Side, b: Side): void {
    for (const [attribute, compare] of Object.entries(COMPARISONS)) {
      if (this.#ignored.has(attribute as Attribute)) continue;
      const difference = compare(a, b);
      if (difference !== undefined) this.#report(path, difference);
    }
    if (this.#options.sparse === true && !this.#ignored.has('allocation')) this.#compareAllocation(path, a, b);
  }

  #compareAllocation(path: ByteString, a: Side, b: Side): void {
    if (!a.stats.isFile()) return;
    const bytesA = a.stats.blocks * STAT_BLOCK_BYTES;
    const bytesB = b.stats.blocks * STAT_BLOCK_BYTES;
    if (bytesB > bytesA + BigInt(this.#options.slackBytes ?? 64 * 1024)) {
      this.#report(path, `takes ${bytesB} bytes on disk, ${bytesA} in the first tree`);
    }
  }

  /** Equal first names for every entry mean the same partition of names into inodes, since both are met in one order. */
  #compareLinks(path: ByteString, a: BigIntStats, b: BigIntStats): void {
    if (a.nlink === 1n && b.nlink === 1n) return;
    const firstA = firstName(this.#firstNameA, path, a);
    const firstB = firstName(this.#firstNameB, path, b);
    if (firstA !== firstB) {
      this.#report(path, `hard link of ${displayName(firstA)} != of ${displayName(firstB)}`);
    }
  }

  #side(cursor: DirectoryCursor, name: ByteString): Side {
    const path = cursor.path(name);
    return { path, stats: lstatSync(fsPath(path), { bigint: true }) };
  }

  #report(path: ByteString, difference: string): void {
    this.#differences.push(`${displayName(path)}: ${difference}`);
  }
}

function firstName(names: Map<string, ByteString>, path: ByteString, stats: BigIntStats): ByteString {
  const inode = `${stats.dev}:${stats.ino}`;
  const first = names.get(inode);
  if (first !== undefined) return first;
  names.set(inode, path);
  return path;
}
