import { CairnError } from '../errors.ts';
import { displayName, type ByteString } from '../host/byte-path.ts';
import { LIMITS } from '../limits.ts';
import type { ContentSource } from '../ports/content-source.ts';

/** What contents put into a directory: files, and directories that lead to them. */
export type ContentDirectory = ReadonlyMap<ByteString, ContentDirectory | ContentSource>;

type Growing = Map<ByteString, Growing | ContentSource>;

/** Bytes of a path: Linux PATH_MAX (linux/limits.h). */
const PATH_BYTES = 4096;

/**
 * The contents as one tree from `/`; undefined when there are none. Rejects with `USAGE` for a path that is not absolute and
 * normal, that two contents share, or that leads through another content.
 */
export function planContents(contents: readonly ContentSource[]): ContentDirectory | undefined {
  if (contents.length === 0) return undefined;
  const root: Growing = new Map();
  for (const content of contents) add(root, content);
  return root;
}

export function isContentDirectory(node: ContentDirectory | ContentSource): node is ContentDirectory {
  return node instanceof Map;
}

function add(root: Growing, content: ContentSource): void {
  const { path } = content;
  const names = path.split('/').slice(1);
  if (!path.startsWith('/') || path.length > PATH_BYTES || !names.every(isName)) {
    throw new CairnError('USAGE', `${displayName(path)} is no path that a content can have`, {
      hint: 'Give a name, or an absolute path without `.` and `..`.',
    });
  }
  let at = root;
  for (const name of names.slice(0, -1)) {
    const next = at.get(name) ?? new Map<ByteString, Growing | ContentSource>();
    if (!(next instanceof Map)) throw taken(path);
    at.set(name, next);
    at = next;
  }
  const last = names.at(-1) ?? '';
  if (at.has(last)) throw taken(path);
  at.set(last, content);
}

function isName(name: ByteString): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('\0') && name.length <= LIMITS.nameBytes;
}

function taken(path: ByteString): CairnError {
  return new CairnError('USAGE', `two contents are to be stored as ${displayName(path)}`, {
    hint: 'Give each content a path of its own.',
  });
}
