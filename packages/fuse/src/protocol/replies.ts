import { constants } from 'node:os';

import { INIT_FLAG, KERNEL_MAJOR, KERNEL_MINOR, OUT_HEADER_BYTES } from './constants.ts';

/** A file's attributes as the kernel takes them (`struct fuse_attr`). */
export interface KernelAttributes {
  readonly node: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Kind and permissions, as `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly device: readonly [major: number, minor: number] | null;
}

/** Attributes, and for how long the kernel may believe them and the name that led to them, in seconds. */
export interface KernelEntry {
  readonly attributes: KernelAttributes;
  readonly validS: number;
}

/** Bytes of `struct fuse_attr`, `fuse_entry_out` and `fuse_attr_out`. */
const ATTRIBUTE_BYTES = 88;
export const ENTRY_BYTES = 40 + ATTRIBUTE_BYTES;
const BILLION = 1_000_000_000n;

/** Bytes to which `stat` counts disk space up; ext4 does the same. */
const BLOCK_BYTES = 4096;

/** An answer without a body that matters: its header. `errno` is positive, or 0 for success. */
export function encodeHeader(unique: bigint, errno: number, bodyBytes: number): Buffer {
  const header = Buffer.alloc(OUT_HEADER_BYTES);
  header.writeUInt32LE(OUT_HEADER_BYTES + bodyBytes, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/** The number of an error name such as `ENOENT`; EIO for one that this system does not have. */
export function errnoOf(name: string): number {
  return (constants.errno as Readonly<Record<string, number | undefined>>)[name] ?? constants.errno.EIO;
}

/** `struct fuse_entry_out`, for LOOKUP. */
export function encodeEntry(entry: KernelEntry): Buffer {
  const out = Buffer.alloc(ENTRY_BYTES);
  writeEntry(out, 0, entry);
  return out;
}

export function writeEntry(out: Buffer, at: number, { attributes, validS }: KernelEntry): void {
  writeWide(out, at, attributes.node);
  // The generation stays 0: numbers of nodes are never used again.
  writeWide(out, at + 16, validS);
  writeWide(out, at + 24, validS);
  writeAttributes(out, at + 40, attributes);
}

/** `struct fuse_attr_out`, for GETATTR. */
export function encodeAttributes({ attributes, validS }: KernelEntry): Buffer {
  const out = Buffer.alloc(16 + ATTRIBUTE_BYTES);
  writeWide(out, 0, validS);
  writeAttributes(out, 16, attributes);
  return out;
}

function writeAttributes(out: Buffer, at: number, attributes: KernelAttributes): void {
  const { node, size, blocks, mtimeNs, ctimeNs, mode, links, uid, gid, device } = attributes;
  writeWide(out, at, node);
  writeWide(out, at + 8, size);
  writeWide(out, at + 16, blocks);
  // No archive keeps when a file was last read.
  writeTime(out, at + 24, at + 48, mtimeNs);
  writeTime(out, at + 32, at + 52, mtimeNs);
  writeTime(out, at + 40, at + 56, ctimeNs);
  out.writeUInt32LE(mode, at + 60);
  out.writeUInt32LE(links, at + 64);
  out.writeUInt32LE(uid, at + 68);
  out.writeUInt32LE(gid, at + 72);
  out.writeUInt32LE(device === null ? 0 : encodeDevice(device), at + 76);
  out.writeUInt32LE(BLOCK_BYTES, at + 80);
}

/** Seconds rounded down, and the nanoseconds above them, also before 1970. */
function writeTime(out: Buffer, secondsAt: number, nanosecondsAt: number, timeNs: bigint): void {
  let nanoseconds = timeNs % BILLION;
  if (nanoseconds < 0n) nanoseconds += BILLION;
  out.writeBigInt64LE((timeNs - nanoseconds) / BILLION, secondsAt);
  out.writeUInt32LE(Number(nanoseconds), nanosecondsAt);
}

/** `new_encode_dev` of `linux/kdev_t.h`: 12 bits of major and 20 of minor. */
function encodeDevice([major, minor]: readonly [number, number]): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

function writeWide(out: Buffer, at: number, value: number): void {
  out.writeUInt32LE(value % 0x1_0000_0000, at);
  out.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** What INIT settles. */
export interface InitAnswer {
  readonly minor: number;
  readonly flags: number;
  /** Bytes that the kernel may read ahead. */
  readonly readahead: number;
  /** Requests that may wait in the background, such as read-ahead. */
  readonly background: number;
  /** Bytes of the longest WRITE; none is ever taken. */
  readonly maxWrite: number;
  /** Pages of the longest READ. */
  readonly maxPages: number;
}

/** `struct fuse_init_out`. */
export function encodeInit(answer: InitAnswer): Buffer {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(KERNEL_MAJOR, 0);
  out.writeUInt32LE(Math.min(KERNEL_MINOR, answer.minor), 4);
  out.writeUInt32LE(answer.readahead, 8);
  out.writeUInt32LE(answer.flags, 12);
  out.writeUInt16LE(answer.background, 16);
  out.writeUInt16LE(Math.floor((answer.background * 3) / 4), 18);
  out.writeUInt32LE(answer.maxWrite, 20);
  // Times are exact to the nanosecond.
  out.writeUInt32LE(1, 24);
  out.writeUInt16LE((answer.flags & INIT_FLAG.maxPages) === 0 ? 0 : answer.maxPages, 28);
  return out;
}

/** `struct fuse_open_out` without a handle: nothing is kept for an open file. */
export function encodeOpen(flags: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(flags, 8);
  return out;
}

/** `struct fuse_getxattr_out`: how long the value or list is. */
export function encodeXattrSize(size: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(size, 0);
  return out;
}

/** `struct fuse_lseek_out`. */
export function encodeSeek(offset: number): Buffer {
  const out = Buffer.alloc(8);
  writeWide(out, 0, offset);
  return out;
}

/** `struct fuse_ioctl_out` with one number as result data, a `long` of 64-bit programs. */
export function encodeIoctl(value: number, outSize: number): Buffer {
  const out = Buffer.alloc(16 + Math.min(outSize, 8));
  if (outSize >= 4) out.writeUInt32LE(value, 16);
  return out;
}

/** `struct fuse_statfs_out`: what is there, and that nothing is free. */
export function encodeStatistics(statistics: { readonly bytes: number; readonly files: number }): Buffer {
  const out = Buffer.alloc(80);
  writeWide(out, 0, Math.ceil(statistics.bytes / BLOCK_BYTES));
  writeWide(out, 24, statistics.files);
  out.writeUInt32LE(BLOCK_BYTES, 40);
  // NAME_MAX (linux/limits.h).
  out.writeUInt32LE(255, 44);
  out.writeUInt32LE(BLOCK_BYTES, 48);
  return out;
}
