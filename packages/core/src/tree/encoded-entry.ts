import type { EncodedEntry } from './directory-reader.ts';
import { CairnError } from '../errors.ts';
import { ENTRY_KIND, ENTRY_KIND_NAME, type EntryKind } from './entry.ts';

/** Bytes of an encoded entry before those of its name: `array 16` with its length 3, `bin 8` with its length 2. */
const BEFORE_NAME = 5;

/** True for the encoded entry of a directory. Looks at one byte, and says nothing about the rest. */
export function isDirectory({ name, bytes }: EncodedEntry): boolean {
  return bytes[BEFORE_NAME + name.length] === ENTRY_KIND.directory;
}

/** The kind of an encoded entry, without decoding the rest. Rejects with `CORRUPT` when it is none. */
export function encodedKind({ name, bytes }: EncodedEntry): EntryKind {
  const kind = bytes[BEFORE_NAME + name.length] as EntryKind;
  if (!(kind in ENTRY_KIND_NAME)) throw new CairnError('CORRUPT', 'a tree entry does not parse: its kind is unknown');
  return kind;
}
