import { displayName, type ByteString, type EntryKind, type TreeEntry } from '@cairn/core';

import { formatTime } from './format.ts';
import { safeText } from './safe-text.ts';

/** The first character of a mode, as ls(1) shows it. */
const KIND_LETTER: Readonly<Record<EntryKind, string>> = { 1: '-', 2: 'd', 3: 'l', 4: 'p', 5: 'c', 6: 'b', 7: 's' };

const SIZE_COLUMNS = 13;
const NAME_COLUMNS = 8;

/** An entry like a line of `ls -l`. */
export function longLine(path: ByteString, entry: TreeEntry): string {
  const owner = safeText(entry.user ?? String(entry.uid)).padEnd(NAME_COLUMNS);
  const group = safeText(entry.group ?? String(entry.gid)).padEnd(NAME_COLUMNS);
  const size = (entry.device === null ? String(entry.size) : entry.device.join(', ')).padStart(SIZE_COLUMNS);
  const target = entry.target === null ? '' : ` -> ${displayName(entry.target)}`;
  const time = formatTime(entry.mtimeNs);
  return `${modeText(entry)} ${owner} ${group} ${size} ${time} ${displayName(path)}${target}`;
}

/** `drwxr-xr-x`, as ls(1) writes it. */
function modeText({ kind, mode }: Pick<TreeEntry, 'kind' | 'mode'>): string {
  const triple = (shift: number, special: boolean, letters: readonly [string, string]): string => {
    const bits = mode >> shift;
    const run = (bits & 1) !== 0;
    const last = special ? letters[run ? 0 : 1] : run ? 'x' : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  return (
    KIND_LETTER[kind] +
    triple(6, (mode & 0o4000) !== 0, ['s', 'S']) +
    triple(3, (mode & 0o2000) !== 0, ['s', 'S']) +
    triple(0, (mode & 0o1000) !== 0, ['t', 'T'])
  );
}
