/** linux/posix_acl_xattr.h and linux/posix_acl.h. */
const VERSION = 2;
const NO_ID = 0xffff_ffff;
const TAGS = [
  { tag: 0x01, word: 'user', named: false },
  { tag: 0x02, word: 'user', named: true },
  { tag: 0x04, word: 'group', named: false },
  { tag: 0x08, word: 'group', named: true },
  { tag: 0x10, word: 'mask', named: false },
  { tag: 0x20, word: 'other', named: false },
] as const;
const PERMISSIONS = 'rwx';

/** Ids of names, as this machine knows them. */
export interface IdLookup {
  userId(name: string): number | undefined;
  groupId(name: string): number | undefined;
}

/** The long text form of an ACL (acl(5)) as GNU tar keeps it, ids as numbers; undefined when the value is no ACL. */
export function aclToText(value: Uint8Array): string | undefined {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < 4 || bytes.length % 8 !== 4 || bytes.readUInt32LE(0) !== VERSION) return undefined;
  let text = '';
  for (let at = 4; at < bytes.length; at += 8) {
    const kind = TAGS.find(({ tag }) => tag === bytes.readUInt16LE(at));
    const permissions = bytes.readUInt16LE(at + 2);
    if (kind === undefined || permissions > 7) return undefined;
    const letters = [...PERMISSIONS].map((letter, i) => ((permissions >> (2 - i)) & 1 ? letter : '-')).join('');
    text += `${kind.word}:${kind.named ? bytes.readUInt32LE(at + 4) : ''}:${letters}\n`;
  }
  return text;
}

/**
 * The kernel's form of an ACL in text form, long or short, with comments, with or without the id that star adds as a fourth
 * field. Undefined when it does not parse or names somebody whom this machine does not know.
 */
export function aclFromText(text: string, lookup: IdLookup): Buffer | undefined {
  const entries: { readonly tag: number; readonly permissions: number; readonly id: number }[] = [];
  for (const line of text.split(/[\n,]/)) {
    const entry = line.replace(/#.*$/, '').trim();
    if (entry === '') continue;
    const parsed = parseEntry(entry, lookup);
    if (parsed === undefined) return undefined;
    entries.push(parsed);
  }
  if (entries.length === 0) return undefined;
  // The kernel takes them only in this order (posix_acl_valid).
  entries.sort((a, b) => a.tag - b.tag || a.id - b.id);
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(VERSION);
  for (const [i, { tag, permissions, id }] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i);
    bytes.writeUInt16LE(permissions, 6 + 8 * i);
    bytes.writeUInt32LE(id, 8 + 8 * i);
  }
  return bytes;
}

function parseEntry(
  entry: string,
  lookup: IdLookup,
): { readonly tag: number; readonly permissions: number; readonly id: number } | undefined {
  const [first = '', name = '', letters = '', star = ''] = entry.split(':').map((field) => field.trim());
  const word = { u: 'user', g: 'group', m: 'mask', o: 'other' }[first] ?? first;
  const kind = TAGS.find((each) => each.word === word && each.named === (name !== ''));
  if (kind === undefined || !/^[rwx-]{1,3}$/.test(letters)) return undefined;
  const permissions = [...PERMISSIONS].reduce((sum, letter, i) => sum + (letters.includes(letter) ? 4 >> i : 0), 0);
  if (!kind.named) return { tag: kind.tag, permissions, id: NO_ID };
  const numeric = [star, name].find((field) => /^\d{1,10}$/.test(field));
  const known = kind.word === 'user' ? lookup.userId(name) : lookup.groupId(name);
  const id = numeric === undefined ? known : Number(numeric);
  return id === undefined || id >= NO_ID ? undefined : { tag: kind.tag, permissions, id };
}
