import { ENTRY_KIND, type EntryKind, type TreeEntry } from '@cairn/core';

/** What `stat` tells of a node. */
export interface Attributes {
  readonly node: number;
  readonly kind: EntryKind;
  /** `st_mode`: kind and permissions. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly device: readonly [major: number, minor: number] | null;
}

/** How owners and permissions are shown. */
export interface OwnerRules {
  /** In the place of every owner. */
  readonly uid?: number;
  /** In the place of every group. */
  readonly gid?: number;
  /** Permissions that nobody has. */
  readonly umask?: number;
}

/** S_IFMT of each kind (inode(7)), shifted down by 12. */
const TYPE: Readonly<Record<EntryKind, number>> = { 1: 8, 2: 4, 3: 10, 4: 1, 5: 2, 6: 6, 7: 12 };
const PERMISSIONS = 0o777;

/** Bytes of a block of ext4: disk space is counted in these. */
const BLOCK_BYTES = 4096;
const STAT_BLOCK_BYTES = 512;

/** `d_type` of a kind (readdir(3)). */
export function directoryType(kind: EntryKind): number {
  return TYPE[kind];
}

/** @param links names of the file in the archive; a directory always shows 1, which means: not counted. */
export function attributesOf(entry: TreeEntry, node: number, links: number, rules: OwnerRules): Attributes {
  const size = sizeOf(entry);
  const mode = (TYPE[entry.kind] << 12) | entry.mode;
  return {
    node,
    kind: entry.kind,
    mode: entry.kind === ENTRY_KIND.symlink ? mode : mode & ~((rules.umask ?? 0) & PERMISSIONS),
    links,
    uid: rules.uid ?? entry.uid,
    gid: rules.gid ?? entry.gid,
    size,
    blocks: blocksOf(entry, size),
    mtimeNs: entry.mtimeNs,
    ctimeNs: entry.ctimeNs,
    device: entry.device,
  };
}

function sizeOf(entry: TreeEntry): number {
  if (entry.kind === ENTRY_KIND.symlink) return entry.target?.length ?? 0;
  return entry.kind === ENTRY_KIND.directory ? BLOCK_BYTES : entry.size;
}

/** What a file system would use: holes take nothing. Programs that copy sparse files go by that. */
function blocksOf({ kind, content }: TreeEntry, size: number): number {
  if (kind === ENTRY_KIND.directory) return size / STAT_BLOCK_BYTES;
  if (kind !== ENTRY_KIND.file) return 0;
  return (Math.ceil((content?.length ?? 0) / BLOCK_BYTES) * BLOCK_BYTES) / STAT_BLOCK_BYTES;
}
