/** Attributes of an entry by their names in small letters, each with its values in order. */
export type LdifEntry = ReadonlyMap<string, readonly string[]>;

/** The entries of an LDIF text (RFC 2849): folded lines are joined, values in base64 decoded, comments left out. */
export function entriesOf(text: string): readonly LdifEntry[] {
  return text
    .replaceAll('\r\n', '\n')
    .replace(/\n /g, '')
    .split(/\n{2,}/)
    .map(entryOf)
    .filter((entry) => entry.has('dn'));
}

function entryOf(block: string): LdifEntry {
  const entry = new Map<string, string[]>();
  for (const line of block.split('\n')) {
    if (line.startsWith('#')) continue;
    const [, name, colon, value = ''] = /^([^:]+)(::?) ?(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const values = entry.get(name.toLowerCase()) ?? [];
    values.push(colon === '::' ? Buffer.from(value, 'base64').toString('utf8') : value);
    entry.set(name.toLowerCase(), values);
  }
  return entry;
}
