import { fromUtf8, isUtf8, type ByteString } from '../host/byte-path.ts';
import { ENTRY_KIND, type EntryKind, type TreeEntry } from '../tree/entry.ts';
import { aclToText } from './acl-text.ts';
import { BLOCK_BYTES, encodeHeader, OCTAL_MOST, TAR_TYPE, type TarHeader } from './header.ts';
import { encodePaxRecords, encodePaxTime, type PaxRecord } from './pax.ts';
import { dataRanges, encodeSparseMap } from './sparse-map.ts';

const TYPE_OF: Partial<Record<EntryKind, string>> = {
  [ENTRY_KIND.file]: TAR_TYPE.file,
  [ENTRY_KIND.directory]: TAR_TYPE.directory,
  [ENTRY_KIND.symlink]: TAR_TYPE.symlink,
  [ENTRY_KIND.fifo]: TAR_TYPE.fifo,
  [ENTRY_KIND.character]: TAR_TYPE.character,
  [ENTRY_KIND.block]: TAR_TYPE.block,
};

const NAME_BYTES = 100;
const OWNER_BYTES = 31;
const NS_PER_S = 1_000_000_000n;

/** What stands before the content of a member. */
export interface MemberHead {
  readonly bytes: Buffer;
  /** Bytes of content that follow, without holes, and zeros after them. */
  readonly contentBytes: number;
  readonly padding: number;
}

/** True for what a tar stream can hold: anything but a socket. */
export function canBeMember({ kind }: Pick<TreeEntry, 'kind'>): boolean {
  return TYPE_OF[kind] !== undefined;
}

/**
 * The head of an entry as a member: a ustar header, and a pax header before it when that cannot say all. The same entry gives the
 * same bytes.
 * @param path in the stream, without a slash before it.
 * @param first path of the member that this one is a further name of.
 */
export function memberHead(path: ByteString, entry: TreeEntry, first: ByteString | undefined): MemberHead {
  const records = new Records();
  const isLink = first !== undefined;
  const holes = isLink ? null : entry.holes;
  const map = holes === null ? undefined : encodeSparseMap(dataRanges(holes, entry.size));
  const contentBytes = isLink || entry.content === null || entry.kind !== ENTRY_KIND.file ? 0 : entry.content.length;
  const stored = contentBytes + (map?.length ?? 0);
  const fullName = entry.kind === ENTRY_KIND.directory ? `${path}/` : path;
  const user = fromUtf8(entry.user ?? '');
  const group = fromUtf8(entry.group ?? '');
  const seconds = (entry.mtimeNs - (((entry.mtimeNs % NS_PER_S) + NS_PER_S) % NS_PER_S)) / NS_PER_S;
  const header: TarHeader = {
    name: map === undefined ? records.name('path', fullName) : sparseName(path),
    mode: entry.mode,
    uid: records.number('uid', entry.uid, OCTAL_MOST.id),
    gid: records.number('gid', entry.gid, OCTAL_MOST.id),
    size: records.number('size', stored, OCTAL_MOST.size),
    mtime: seconds >= 0n && seconds <= OCTAL_MOST.mtime ? Number(seconds) : 0,
    type: isLink ? TAR_TYPE.hardLink : (TYPE_OF[entry.kind] ?? TAR_TYPE.file),
    linkName: records.name('linkpath', first ?? entry.target ?? ''),
    user: records.name('uname', user, OWNER_BYTES),
    group: records.name('gname', group, OWNER_BYTES),
    major: entry.device?.[0] ?? 0,
    minor: entry.device?.[1] ?? 0,
  };
  if (BigInt(header.mtime) * NS_PER_S !== entry.mtimeNs) records.text('mtime', encodePaxTime(entry.mtimeNs));
  if (map !== undefined) {
    records.text('GNU.sparse.major', '1');
    records.text('GNU.sparse.minor', '0');
    records.text('GNU.sparse.name', path);
    records.text('GNU.sparse.realsize', String(entry.size));
  }
  if (!isLink) for (const [name, value] of entry.xattrs ?? []) records.xattr(name, value);
  const parts = [...records.blocks(path), encodeHeader(header), ...(map === undefined ? [] : [map])];
  return { bytes: Buffer.concat(parts), contentBytes, padding: paddingOf(stored) };
}

/** Zeros that fill the last block. */
export function paddingOf(bytes: number): number {
  return (BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** What programs that know nothing of sparse files see: GNU tar's `--sparse-version=1.0` name, without the process id. */
function sparseName(path: ByteString): ByteString {
  const cut = path.lastIndexOf('/');
  const name = `${path.slice(0, cut + 1)}GNUSparseFile.0/${path.slice(cut + 1)}`;
  return name.length <= NAME_BYTES && isPlain(name) ? name : 'GNUSparseFile.0/file';
}

/** Printable ASCII: what every tar reads alike. */
function isPlain(name: ByteString): boolean {
  return /^[ -~]*$/.test(name);
}

/** Gathers what a ustar header cannot say. */
class Records {
  private readonly records: PaxRecord[] = [];
  private binary = false;

  name(keyword: string, value: ByteString, most = NAME_BYTES): ByteString {
    if (value.length > most || !isPlain(value)) this.text(keyword, value);
    return value;
  }

  number(keyword: string, value: number, most: number): number {
    if (value > most) this.text(keyword, String(value));
    return value;
  }

  text(keyword: string, value: ByteString): void {
    if (!isUtf8(value)) this.binary = true;
    this.records.push([keyword, Buffer.from(value, 'latin1')]);
  }

  /** ACLs as text and labels without their NUL, as GNU tar keeps them; other attributes as they are. */
  xattr(name: ByteString, value: Uint8Array): void {
    const bytes = Buffer.from(value);
    const acl = /^system\.posix_acl_(access|default)$/.exec(name)?.[1];
    const aclText = acl === undefined ? undefined : aclToText(value);
    if (aclText !== undefined) this.text(`SCHILY.acl.${acl}`, aclText);
    else if (name === 'security.selinux') {
      this.records.push(['RHT.security.selinux', bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes]);
    } else this.records.push([`SCHILY.xattr.${encodeKeyword(name)}`, bytes]);
  }

  /** The extended header; nothing when there is nothing to say. */
  blocks(path: ByteString): Buffer[] {
    if (this.records.length === 0) return [];
    const charset: PaxRecord[] = this.binary ? [['hdrcharset', Buffer.from('BINARY')]] : [];
    const body = encodePaxRecords([...charset, ...this.records]);
    const name = `PaxHeaders/${path.slice(path.lastIndexOf('/') + 1)}`;
    const header: TarHeader = {
      name: name.length <= NAME_BYTES && isPlain(name) ? name : 'PaxHeaders/file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: body.length,
      mtime: 0,
      type: TAR_TYPE.paxHeader,
      linkName: '',
      user: '',
      group: '',
      major: 0,
      minor: 0,
    };
    return [encodeHeader(header), body, Buffer.alloc(paddingOf(body.length))];
  }
}

/** A keyword ends at the first `=`, so GNU tar writes that and its own escape in another way. */
function encodeKeyword(name: ByteString): ByteString {
  return name.replaceAll('%', '%25').replaceAll('=', '%3D');
}

export function decodeKeyword(name: ByteString): ByteString {
  return name.replaceAll('%3D', '=').replaceAll('%25', '%');
}
