import type { ByteString } from '@cairn/core';

/** Bytes that a path may have in a URL as they are (RFC 3986, section 3.3, without those that some programs treat apart). */
const PLAIN = /[A-Za-z0-9._~-]/;

/**
 * The names on the way to what a URL's path means, as byte strings; undefined when it is no path of a file: one with an empty
 * name, `.`, `..`, a NUL, an encoded slash, or a wrong escape.
 */
export function namesOfUrl(path: string): ByteString[] | undefined {
  if (!path.startsWith('/')) return undefined;
  const parts = path.slice(1).split('/');
  // A slash at the end says that it is a directory, nothing more.
  if (parts.at(-1) === '') parts.pop();
  const names: ByteString[] = [];
  for (const part of parts) {
    const name = decoded(part);
    if (name === undefined || name === '' || name === '.' || name === '..') return undefined;
    if (name.includes('/') || name.includes('\0')) return undefined;
    names.push(name);
  }
  return names;
}

function decoded(part: string): ByteString | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(part)) return undefined;
  // What is no ASCII is what a lazy client did not encode: UTF-8.
  const bytes = Buffer.from(part).toString('latin1');
  return bytes.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The path of a URL for these names; ends with a slash for a directory. */
export function urlOfNames(names: readonly ByteString[], isDirectory: boolean): string {
  const path = names.map((name) => `/${encoded(name)}`).join('');
  return isDirectory ? `${path}/` : path;
}

/** A name as one part of a URL's path. */
export function encoded(name: ByteString): string {
  let text = '';
  for (const character of name) {
    text += PLAIN.test(character)
      ? character
      : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  }
  // A browser would take these for "here" and "above".
  return text === '.' || text === '..' ? text.replaceAll('.', '%2E') : text;
}

/** A text as the content of an element or attribute, of HTML and XML alike. */
export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
