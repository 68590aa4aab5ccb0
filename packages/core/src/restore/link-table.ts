import type { ByteString } from '../host/byte-path.ts';
import type { EntryKind, TreeEntry } from '../tree/entry.ts';

/** What entries that are names of one file have in common. */
export interface LinkKey {
  readonly group: number;
  readonly inode: bigint;
  readonly kind: EntryKind;
}

/** The file that the first of its names was restored as. */
export interface LinkedFile {
  /** From the target, without a slash before it. */
  readonly path: ByteString;
  readonly device: number;
  readonly inode: bigint;
}

/** The key of an entry that may have other names, undefined for one that has none. */
export function linkKeyOf(entry: TreeEntry): LinkKey | undefined {
  return entry.link === null ? undefined : { group: entry.link, inode: entry.inode, kind: entry.kind };
}

/** Record: group f64, inode u64, kind u8, device f64, inode of the restored file u64, length of the path u32, path. */
const HEADER_BYTES = 37;
const KEY_BYTES = 17;

/**
 * Files that may get further names. It lasts for the whole restore, so it is kept in flat memory: about 100 bytes for each,
 * where objects would take five times that.
 */
export class LinkTable {
  /** Announced, and not yet made. */
  private readonly pending = new Set<string>();
  private records = Buffer.alloc(64 * 1024);
  private used = 0;
  private count = 0;
  /** Open addressing: offset of a record plus 1, 0 for a free slot. At most half full. */
  private slots = new Float64Array(1024);

  /** True when the first name was met before and may still become a file. */
  has(key: LinkKey): boolean {
    return this.pending.has(textOf(key)) || this.find(key) !== undefined;
  }

  /** Announces the first name. */
  begin(key: LinkKey): void {
    this.pending.add(textOf(key));
  }

  /** The first name could not be made: the next one is the first. */
  forget(key: LinkKey): void {
    this.pending.delete(textOf(key));
  }

  made(key: LinkKey, file: LinkedFile): void {
    this.pending.delete(textOf(key));
    if ((this.count + 1) * 2 > this.slots.length) this.growSlots();
    const at = this.reserve(HEADER_BYTES + file.path.length);
    const { records } = this;
    writeKey(records, at, key);
    records.writeDoubleLE(file.device, at + 17);
    records.writeBigUInt64LE(file.inode, at + 25);
    records.writeUInt32LE(file.path.length, at + 33);
    records.write(file.path, at + HEADER_BYTES, 'latin1');
    this.insert(at);
    this.count += 1;
  }

  /** The file made for the first name, or undefined when there is none. */
  find(key: LinkKey): LinkedFile | undefined {
    const wanted = Buffer.allocUnsafe(KEY_BYTES);
    writeKey(wanted, 0, key);
    for (let slot = hashAt(wanted, 0) % this.slots.length; ; slot = (slot + 1) % this.slots.length) {
      const at = (this.slots[slot] as number) - 1;
      if (at === -1) return undefined;
      if (this.records.compare(wanted, 0, KEY_BYTES, at, at + KEY_BYTES) !== 0) continue;
      const end = at + HEADER_BYTES + this.records.readUInt32LE(at + 33);
      return {
        path: this.records.toString('latin1', at + HEADER_BYTES, end),
        device: this.records.readDoubleLE(at + 17),
        inode: this.records.readBigUInt64LE(at + 25),
      };
    }
  }

  private reserve(bytes: number): number {
    const at = this.used;
    if (at + bytes > this.records.length) {
      const grown = Buffer.alloc(Math.max(Math.ceil(this.records.length * 1.5), at + bytes));
      this.records.copy(grown, 0, 0, at);
      this.records = grown;
    }
    this.used = at + bytes;
    return at;
  }

  private insert(at: number): void {
    let slot = hashAt(this.records, at) % this.slots.length;
    while (this.slots[slot] !== 0) slot = (slot + 1) % this.slots.length;
    this.slots[slot] = at + 1;
  }

  private growSlots(): void {
    this.slots = new Float64Array(this.slots.length * 2);
    for (let at = 0; at < this.used; at += HEADER_BYTES + this.records.readUInt32LE(at + 33)) this.insert(at);
  }
}

function textOf({ group, inode, kind }: LinkKey): string {
  return `${group}:${inode}:${kind}`;
}

function writeKey(target: Buffer, at: number, { group, inode, kind }: LinkKey): void {
  target.writeDoubleLE(group, at);
  target.writeBigUInt64LE(BigInt.asUintN(64, inode), at + 8);
  target[at + 16] = kind;
}

/** Inodes are often consecutive: a multiplication spreads them (Knuth, The Art of Computer Programming, 6.4). */
function hashAt(key: Buffer, at: number): number {
  const words = key.readUInt32LE(at + 8) ^ Math.imul(key.readUInt32LE(at + 12), 31) ^ key.readUInt32LE(at + 4);
  const product = Math.imul(words, 0x9e37_79b1);
  return (product ^ (product >>> 15)) >>> 0;
}
