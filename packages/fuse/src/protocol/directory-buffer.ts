import { ENTRY_BYTES, writeEntry, type KernelEntry } from './replies.ts';

/** Bytes of `struct fuse_dirent` before the name. */
const DIRENT_BYTES = 24;

/** One entry of a directory as READDIR tells it. */
export interface KernelName {
  readonly node: number;
  /** Where the reading goes on after this entry. */
  readonly next: number;
  /** File type bits of `st_mode`, shifted down by 12: what `d_type` is. */
  readonly type: number;
  /** Byte string. */
  readonly name: string;
}

/** Gathers entries for the answer to READDIR or READDIRPLUS, up to what the kernel has room for. */
export class DirectoryBuffer {
  private readonly buffer: Buffer;
  private length = 0;

  /** @param buffer as long as the answer may be. */
  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  /** False, and nothing is added, when there is no room. */
  add(entry: KernelName): boolean {
    return this.write(entry, undefined);
  }

  /** As `add`, for READDIRPLUS. Without attributes the kernel looks the name up when it needs them. */
  addPlus(entry: KernelName, attributes: KernelEntry | undefined): boolean {
    return this.write(entry, attributes ?? 'none');
  }

  private write(entry: KernelName, plus: KernelEntry | 'none' | undefined): boolean {
    const head = plus === undefined ? 0 : ENTRY_BYTES;
    const bytes = head + DIRENT_BYTES + entry.name.length;
    // FUSE_DIRENT_ALIGN: to a boundary of 8 bytes.
    const padded = (bytes + 7) & ~7;
    if (this.length + padded > this.buffer.length) return false;
    const { buffer } = this;
    let at = this.length;
    buffer.fill(0, at, at + padded);
    if (plus !== undefined && plus !== 'none') writeEntry(buffer, at, plus);
    at += head;
    buffer.writeUInt32LE(entry.node % 0x1_0000_0000, at);
    buffer.writeUInt32LE(Math.floor(entry.node / 0x1_0000_0000), at + 4);
    buffer.writeUInt32LE(entry.next % 0x1_0000_0000, at + 8);
    buffer.writeUInt32LE(Math.floor(entry.next / 0x1_0000_0000), at + 12);
    buffer.writeUInt32LE(entry.name.length, at + 16);
    buffer.writeUInt32LE(entry.type, at + 20);
    buffer.write(entry.name, at + DIRENT_BYTES, 'latin1');
    this.length += padded;
    return true;
  }

  /** What was added; a view. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}
