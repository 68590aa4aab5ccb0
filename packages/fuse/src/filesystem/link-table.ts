import type { EntryLink } from '@cairn/core';

import { grown } from './grown.ts';
import { mixed, SlotIndex } from './slot-index.ts';

const FIRST_SLOTS = 64;
/** No node yet: ordinals are below 2^25. */
const NONE = 0xffff_ffff;

/**
 * What is known of the files with several names of one archive: how many names were met, and which node they have. There may be
 * millions of them, so each takes some 25 bytes and no object. Entries with the same link group and inode are one file.
 */
export class LinkTable {
  /** Link groups, which are few, by the numbers that stand for them here. */
  private readonly groupNumbers = new Map<number, number>();
  private inodes = new BigUint64Array(FIRST_SLOTS);
  private groups = new Uint32Array(FIRST_SLOTS);
  private counts = new Uint32Array(FIRST_SLOTS);
  private nodes = new Uint32Array(FIRST_SLOTS);
  private used = 0;
  private readonly index = new SlotIndex((slot) => hashOf(this.inodes[slot] as bigint, this.groups[slot] as number));

  /** How many names were met. */
  count(link: EntryLink): number {
    return this.counts[this.slot(link)] as number;
  }

  /** One name was met. */
  add(link: EntryLink): void {
    const slot = this.slot(link);
    this.counts[slot] = (this.counts[slot] as number) + 1;
  }

  /** As if no name had been met. */
  clearCounts(): void {
    this.counts.fill(0);
  }

  /** What `setOrdinal` was told; undefined before. */
  ordinal(link: EntryLink): number | undefined {
    const ordinal = this.nodes[this.slot(link)] as number;
    return ordinal === NONE ? undefined : ordinal;
  }

  /** Which of the nodes for files with several names it has. */
  setOrdinal(link: EntryLink, ordinal: number): void {
    this.nodes[this.slot(link)] = ordinal;
  }

  private slot({ link, inode }: EntryLink): number {
    const group = this.groupNumbers.get(link) ?? this.groupNumbers.size;
    const known = this.index.find(hashOf(inode, group), (slot) => {
      return this.inodes[slot] === inode && this.groups[slot] === group;
    });
    if (known !== undefined) return known;
    this.groupNumbers.set(link, group);
    if (this.used === this.inodes.length) this.grow();
    const slot = this.used++;
    this.inodes[slot] = inode;
    this.groups[slot] = group;
    this.nodes[slot] = NONE;
    this.index.add(slot);
    return slot;
  }

  private grow(): void {
    const length = 2 * this.used;
    const inodes = new BigUint64Array(length);
    inodes.set(this.inodes);
    this.inodes = inodes;
    this.groups = grown(this.groups, length);
    this.counts = grown(this.counts, length);
    this.nodes = grown(this.nodes, length);
  }
}

function hashOf(inode: bigint, group: number): number {
  return mixed(Number(BigInt.asUintN(32, inode)), mixed(Number(inode >> 32n), group));
}
