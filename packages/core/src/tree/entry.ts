import { MsgpackReader, MsgpackWriter } from '../codec/msgpack.ts';
import { LIMITS } from '../limits.ts';
import { CONTENT_RECORD_BYTES, type ContentReference } from './content.ts';

/** Kinds of entries, as the format numbers them. */
export const ENTRY_KIND = { file: 1, directory: 2, symlink: 3, fifo: 4, character: 5, block: 6, socket: 7 } as const;
export type EntryKind = (typeof ENTRY_KIND)[keyof typeof ENTRY_KIND];
export const ENTRY_KIND_NAME: Readonly<Record<EntryKind, string>> = {
  1: 'file',
  2: 'directory',
  3: 'symlink',
  4: 'fifo',
  5: 'character device',
  6: 'block device',
  7: 'socket',
};

/** Bit of `state`: the file changed while it was read. */
export const STATE_CHANGED = 1;

/** The part of an entry that `stat` tells; equal in two archives means: not changed. */
export interface EntryStatus {
  /** A byte string (one character, one byte). Empty only for the root of an archive. */
  readonly name: string;
  readonly kind: EntryKind;
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Apparent bytes of a file; 0 for other kinds. */
  readonly size: number;
  readonly inode: bigint;
  readonly user: string | null;
  readonly group: string | null;
}

/** The part of an entry that takes more than `stat` to know. */
export interface EntryDetail {
  /** Entries of one archive with the same link group and inode are one file. */
  readonly link: number | null;
  readonly device: readonly [major: number, minor: number] | null;
  /** Symlink target, byte string. */
  readonly target: string | null;
  /** Ascending by name; names are byte strings. */
  readonly xattrs: readonly (readonly [name: string, value: Uint8Array])[] | null;
  /** Inode flags (linux/fs.h). */
  readonly flags: number | null;
  /** Ranges of zeros that are not in the content, ascending. */
  readonly holes: readonly (readonly [offset: number, length: number])[] | null;
  readonly content: ContentReference | null;
  readonly state: number;
}

/** One named thing in a directory (format page, section 4.8). */
export interface TreeEntry extends EntryStatus, EntryDetail {}

const FIELDS = 19;
/** `array 16` of MessagePack with 19 items: the first bytes of every entry. */
const HEADER_BYTES = 3;

function writeStatus(writer: MsgpackWriter, status: EntryStatus): void {
  writer.array(FIELDS);
  writer.binLatin1(status.name);
  writer.int(status.kind);
  writer.int(status.mode);
  writer.int(status.uid);
  writer.int(status.gid);
  writer.int64(status.mtimeNs);
  writer.int64(status.ctimeNs);
  writer.int(status.size);
  writer.int64(status.inode);
  writeText(writer, status.user);
  writeText(writer, status.group);
}

function writeText(writer: MsgpackWriter, text: string | null): void {
  if (text === null) writer.nil();
  else writer.str(text);
}

function writeDetail(writer: MsgpackWriter, detail: EntryDetail): void {
  if (detail.link === null) writer.nil();
  else writer.int(detail.link);
  writer.value(detail.device);
  if (detail.target === null) writer.nil();
  else writer.binLatin1(detail.target);
  if (detail.xattrs === null || detail.xattrs.length === 0) writer.nil();
  else {
    writer.array(detail.xattrs.length);
    for (const [name, value] of detail.xattrs) {
      writer.array(2);
      writer.binLatin1(name);
      writer.bin(value);
    }
  }
  if (detail.flags === null) writer.nil();
  else writer.int(detail.flags);
  writer.value(detail.holes === null || detail.holes.length === 0 ? null : detail.holes);
  if (detail.content === null) writer.nil();
  else {
    writer.array(2);
    writer.int(detail.content.level);
    writer.bin(detail.content.records);
  }
  writer.int(detail.state);
}

/** Encodes entries; one encoder serves a whole run. Results are in memory of their own. */
export class EntryEncoder {
  private readonly writer = new MsgpackWriter();

  encode(entry: TreeEntry): Buffer {
    this.writer.reset();
    writeStatus(this.writer, entry);
    writeDetail(this.writer, entry);
    return Buffer.from(this.writer.view());
  }

  /** True when `earlier`, an encoded entry, has the very status of `now`. */
  hasStatus(earlier: Uint8Array, now: EntryStatus): boolean {
    this.writer.reset();
    writeStatus(this.writer, now);
    const status = this.writer.view();
    return status.compare(earlier, 0, Math.min(earlier.length, status.length)) === 0;
  }
}

/** The name of an encoded entry, without decoding the rest. */
export function entryName(bytes: Uint8Array): string {
  return new MsgpackReader(bytes, 'a tree entry', HEADER_BYTES).binLatin1(LIMITS.nameBytes);
}

/** The kind of an encoded entry, without decoding the rest; 0 when it is none. */
export function entryKind(bytes: Uint8Array): EntryKind | 0 {
  const reader = new MsgpackReader(bytes, 'a tree entry', HEADER_BYTES);
  reader.skip(1);
  const kind = reader.uint(7) as EntryKind;
  return kind in ENTRY_KIND_NAME ? kind : 0;
}

/** The content reference of an encoded entry, without decoding the rest. */
export function entryContent(bytes: Uint8Array): ContentReference | null {
  const reader = new MsgpackReader(bytes, 'a tree entry');
  reader.tuple(FIELDS);
  for (let field = 0; field < 17; field++) reader.skip(1);
  return readContent(reader);
}

/** What tells names of one file from each other: null for an entry that has no other name. */
export interface EntryLink {
  readonly link: number;
  readonly inode: bigint;
}

/** The kind and the link group of an encoded entry, without decoding the rest. */
export function entryLink(bytes: Uint8Array): { readonly kind: EntryKind; readonly link: EntryLink | null } {
  const reader = new MsgpackReader(bytes, 'a tree entry');
  reader.tuple(FIELDS);
  reader.skip(1);
  const kind = reader.uint(7) as EntryKind;
  for (let field = 2; field < 8; field++) reader.skip(1);
  const inode = reader.u64();
  reader.skip(1);
  reader.skip(1);
  return { kind, link: reader.nil() ? null : { link: reader.uint(), inode } };
}

/**
 * Decodes an entry. Rejects with `CORRUPT` when a field is not as the format page says: a name with a slash, `.`, `..`, a
 * content reference on a device, holes that touch or lie outside of the size, and so on.
 * @param root the entry is an archive's root, whose name is empty.
 */
export function decodeEntry(bytes: Uint8Array, root = false): TreeEntry {
  const reader = new MsgpackReader(bytes, 'a tree entry');
  if (bytes.length > LIMITS.treeEntryBytes) reader.fail('it is too long');
  reader.tuple(FIELDS);
  const name = readName(reader, root);
  const kind = reader.uint(7) as EntryKind;
  if (!(kind in ENTRY_KIND_NAME)) reader.fail('its kind is unknown');
  const mode = reader.uint(0o7777);
  const uid = reader.uint(0xffff_ffff);
  const gid = reader.uint(0xffff_ffff);
  const mtimeNs = reader.i64();
  const ctimeNs = reader.i64();
  const size = reader.uint();
  // One literal: an object put together by spreading is forty times as slow to make, and this is made for every entry.
  const entry: TreeEntry = {
    name,
    kind,
    mode,
    uid,
    gid,
    mtimeNs,
    ctimeNs,
    size,
    inode: reader.u64(),
    user: reader.nil() ? null : reader.str(),
    group: reader.nil() ? null : reader.str(),
    link: reader.nil() ? null : reader.uint(),
    device: readDevice(reader),
    target: reader.nil() ? null : reader.binLatin1(LIMITS.linkTargetBytes),
    xattrs: reader.nil() ? null : readXattrs(reader),
    flags: reader.nil() ? null : reader.uint(0xffff_ffff),
    holes: reader.nil() ? null : readHoles(reader, size),
    content: readContent(reader),
    state: reader.uint(STATE_CHANGED),
  };
  reader.finish();
  const mistake = contradiction(entry);
  if (mistake !== undefined) reader.fail(mistake);
  return entry;
}

/** What in an entry does not go together with its kind. */
function contradiction(entry: TreeEntry): string | undefined {
  const { kind } = entry;
  if (entry.name === '' && kind !== ENTRY_KIND.directory) return 'the root is not a directory';
  const isDevice = kind === ENTRY_KIND.character || kind === ENTRY_KIND.block;
  if ((entry.target !== null) !== (kind === ENTRY_KIND.symlink)) return 'its target does not fit its kind';
  if (entry.target !== null && (entry.target === '' || entry.target.includes('\0'))) return 'its target cannot be';
  if ((entry.device !== null) !== isDevice) return 'its device number does not fit its kind';
  if (kind !== ENTRY_KIND.file && (entry.holes !== null || entry.size !== 0)) return 'its size does not fit its kind';
  if ((entry.content !== null) !== (kind === ENTRY_KIND.file || kind === ENTRY_KIND.directory)) {
    return 'its content does not fit its kind';
  }
  if (kind === ENTRY_KIND.file && entry.content !== null) {
    const holes = (entry.holes ?? []).reduce((sum, [, length]) => sum + length, 0);
    if (entry.content.length + holes !== entry.size) return 'its content is not as long as it says';
  }
  return undefined;
}

function readName(reader: MsgpackReader, root: boolean): string {
  const name = reader.binLatin1(LIMITS.nameBytes);
  if (root) {
    if (name !== '') reader.fail('the root has a name');
  } else if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
    reader.fail('a name is not one that a file can have');
  }
  return name;
}

function readDevice(reader: MsgpackReader): readonly [number, number] | null {
  if (reader.nil()) return null;
  reader.tuple(2);
  return [reader.uint(0xffff_ffff), reader.uint(0xffff_ffff)];
}

function readXattrs(reader: MsgpackReader): (readonly [string, Uint8Array])[] {
  let total = 0;
  let before: string | undefined;
  const xattrs = reader.list((r) => {
    r.tuple(2);
    const name = r.binLatin1(LIMITS.nameBytes);
    const value = new Uint8Array(r.bin(LIMITS.xattrValueBytes));
    total += name.length + value.length;
    if (name === '' || name.includes('\0') || (before !== undefined && name <= before))
      r.fail('its xattrs are not in order');
    if (total > LIMITS.xattrTotalBytes) r.fail('its xattrs are too long');
    before = name;
    return [name, value] as const;
  });
  if (xattrs.length === 0) reader.fail('no xattrs are nil');
  return xattrs;
}

function readHoles(reader: MsgpackReader, size: number): (readonly [number, number])[] {
  let end = -1;
  const holes = reader.list((r) => {
    r.tuple(2);
    const offset = r.uint();
    const length = r.uint();
    if (offset <= end || length === 0 || offset + length > size) r.fail('its holes are not in order');
    end = offset + length;
    return [offset, length] as const;
  });
  if (holes.length === 0) reader.fail('no holes are nil');
  if (holes.length > LIMITS.holes) reader.fail('it has too many holes');
  return holes;
}

function readContent(reader: MsgpackReader): ContentReference | null {
  if (reader.nil()) return null;
  reader.tuple(2);
  const level = reader.uint(LIMITS.chunkListLevels);
  const records = reader.bin(CONTENT_RECORD_BYTES * LIMITS.directReferences);
  if (records.length % CONTENT_RECORD_BYTES !== 0) reader.fail('its content is not a run of records');
  let length = 0;
  for (let at = 0; at < records.length; at += CONTENT_RECORD_BYTES) {
    const part = Number(records.readBigUInt64LE(at + 32));
    if (part === 0 || (level === 0 && part > LIMITS.chunkBytes)) reader.fail('the length of a chunk is out of range');
    length += part;
  }
  if (level > 0 && records.length === 0) reader.fail('an empty content has a level');
  if (!Number.isSafeInteger(length)) reader.fail('its content is too long');
  return { level, records: Buffer.from(records), length };
}
