import { isUtf8, toUtf8, type ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import { ENTRY_KIND, type EntryKind, type TreeEntry } from '../tree/entry.ts';
import { aclFromText, type IdLookup } from './acl-text.ts';
import { TAR_TYPE } from './header.ts';
import { tarError } from './tar-error.ts';
import type { TarMember } from './tar-reader.ts';

const KIND_OF: Readonly<Record<string, EntryKind>> = {
  [TAR_TYPE.file]: ENTRY_KIND.file,
  [TAR_TYPE.symlink]: ENTRY_KIND.symlink,
  [TAR_TYPE.character]: ENTRY_KIND.character,
  [TAR_TYPE.block]: ENTRY_KIND.block,
  [TAR_TYPE.directory]: ENTRY_KIND.directory,
  [TAR_TYPE.fifo]: ENTRY_KIND.fifo,
};

const FIRST_TIME = -(2n ** 63n);
const LAST_TIME = 2n ** 63n - 1n;

/**
 * The tree entry of a member that is no hard link, without its content. Rejects with `TAR_INVALID` for what no entry can hold.
 * @param inode a number of its own.
 * @param onProblem hears what of it could not be kept.
 */
export function memberEntry(
  member: TarMember,
  name: ByteString,
  inode: bigint,
  lookup: IdLookup,
  onProblem: (what: string) => void,
): TreeEntry {
  const { offset, type, mode, uid, gid, size, mtimeNs } = member;
  const kind = KIND_OF[type];
  if (kind === undefined) throw tarError(offset, `a member is of the unknown type ${JSON.stringify(type)}`);
  if (uid > 0xffff_ffff || gid > 0xffff_ffff) throw tarError(offset, 'an owner is out of range');
  const isDevice = kind === ENTRY_KIND.character || kind === ENTRY_KIND.block;
  const time = nearest(mtimeNs);
  if (time !== mtimeNs) onProblem('its time is before 1677 or after 2262; the nearest one that fits was stored');
  return {
    name,
    kind,
    mode,
    uid,
    gid,
    mtimeNs: time,
    ctimeNs: nearest(member.ctimeNs ?? mtimeNs),
    size: kind === ENTRY_KIND.file ? size : 0,
    inode,
    user: ownerName(member.user),
    group: ownerName(member.group),
    link: null,
    device: isDevice ? [member.major, member.minor] : null,
    target: kind === ENTRY_KIND.symlink ? linkTarget(member) : null,
    xattrs: xattrsOf(member, lookup, onProblem),
    flags: null,
    holes: kind === ENTRY_KIND.file && member.holes.length > 0 ? member.holes : null,
    content: null,
    state: 0,
  };
}

function nearest(ns: bigint): bigint {
  return ns < FIRST_TIME ? FIRST_TIME : ns > LAST_TIME ? LAST_TIME : ns;
}

function ownerName(name: ByteString): string | null {
  return name !== '' && isUtf8(name) ? toUtf8(name) : null;
}

function linkTarget({ linkPath, offset }: TarMember): ByteString {
  if (linkPath === '' || linkPath.length > LIMITS.linkTargetBytes || linkPath.includes('\0')) {
    throw tarError(offset, 'a symlink has a target that none can have');
  }
  return linkPath;
}

function xattrsOf(member: TarMember, lookup: IdLookup, onProblem: (what: string) => void): TreeEntry['xattrs'] {
  const xattrs = new Map<ByteString, Uint8Array>(member.xattrs);
  for (const [name, text] of member.acls) {
    const acl = aclFromText(text, lookup);
    if (acl === undefined)
      onProblem(`its ACL does not parse, or names somebody unknown here: ${JSON.stringify(text.slice(0, 200))}`);
    else xattrs.set(name, acl);
  }
  if (xattrs.size === 0) return null;
  let total = 0;
  for (const [name, value] of xattrs) {
    total += name.length + value.length;
    const fits = name !== '' && name.length <= LIMITS.nameBytes && !name.includes('\0');
    if (!fits || value.length > LIMITS.xattrValueBytes || total > LIMITS.xattrTotalBytes) {
      throw tarError(member.offset, 'extended attributes are longer than a file can have');
    }
  }
  return [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
}
