/** Tags of linux/posix_acl.h, in the order that the kernel demands. */
const TAGS = { userOwner: 0x01, user: 0x02, groupOwner: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;

/** linux/posix_acl_xattr.h: the version, and the id of entries that have none. */
const ACL_VERSION = 2;
const NO_ID = 0xffff_ffff;

export interface PosixAclEntry {
  readonly tag: keyof typeof TAGS;
  /** Read 4, write 2, execute 1. */
  readonly permissions: number;
  /** Of a `user` or `group` entry only. */
  readonly id?: number;
}

/** The value of `system.posix_acl_access` and `system.posix_acl_default` (linux/posix_acl_xattr.h). */
export function encodePosixAcl(entries: readonly PosixAclEntry[]): Buffer {
  const sorted = [...entries].sort((a, b) => TAGS[a.tag] - TAGS[b.tag] || (a.id ?? 0) - (b.id ?? 0));
  const value = Buffer.alloc(4 + 8 * sorted.length);
  value.writeUInt32LE(ACL_VERSION, 0);
  sorted.forEach(({ tag, permissions, id }, index) => {
    const offset = 4 + 8 * index;
    value.writeUInt16LE(TAGS[tag], offset);
    value.writeUInt16LE(permissions, offset + 2);
    value.writeUInt32LE(id ?? NO_ID, offset + 4);
  });
  return value;
}
