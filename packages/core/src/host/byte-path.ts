import { isUtf8 as bufferIsUtf8 } from 'node:buffer';
import { invariant } from '../errors.ts';

/**
 * A path or name as the kernel sees it: one character per byte, U+0000 to U+00FF ("latin1"). Linux names need not be
 * UTF-8; in this form nothing is lost, memory is one byte per character, and `<` compares in byte order.
 */
export type ByteString = string;

const BEYOND_BYTE = /[\u0100-\uffff]/;
const BEYOND_ASCII = /[\u0080-\uffff]/;

/** Printable ASCII without the backslash, which starts an escape. */
const PLAIN = /^[ -[\]-~]*$/;

/**
 * Splits a byte string into well-formed UTF-8 sequences (grammar of RFC 3629 section 4) and single bytes that belong
 * to none. The first alternatives win, so no overlong form and no surrogate counts as well-formed.
 */
const SEQUENCE = new RegExp(
  [
    '[\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}',
    '[^]',
  ].join('|'),
  'g',
);

/**
 * Characters that could act on a terminal or reorder a line: C1 controls, line and paragraph separator, and the
 * bidirectional controls (Unicode Standard Annex 9, section 2). C0 controls and DEL are single bytes, handled apart.
 */
const UNSAFE = /[\u0080-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

function isAscii(text: string): boolean {
  return !BEYOND_ASCII.test(text);
}

/** The bytes of a byte string. */
export function bytesOf(bytes: ByteString): Buffer {
  invariant(!BEYOND_BYTE.test(bytes), 'a byte string holds a character above U+00FF');
  return Buffer.from(bytes, 'latin1');
}

/** What `node:fs` takes for this path: the string itself when it is ASCII (the fast case), else its bytes. */
export function fsPath(path: ByteString): string | Buffer {
  return isAscii(path) ? path : bytesOf(path);
}

/** The byte string of a text, encoded as UTF-8. */
export function fromUtf8(text: string): ByteString {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** True when the bytes are well-formed UTF-8, so that `fromUtf8(toUtf8(bytes)) === bytes`. */
export function isUtf8(bytes: ByteString): boolean {
  return isAscii(bytes) || bufferIsUtf8(bytesOf(bytes));
}

/** Decodes UTF-8. Malformed bytes become U+FFFD: not reversible, and not safe for a terminal (`displayName` is). */
export function toUtf8(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : bytesOf(bytes).toString('utf8');
}

function escapeBytes(bytes: ByteString): string {
  let escaped = '';
  for (const byte of bytesOf(bytes)) escaped += `\\x${byte.toString(16).padStart(2, '0')}`;
  return escaped;
}

function displaySequence(sequence: ByteString): string {
  if (sequence === '\\') return '\\\\';
  if (sequence.length === 1) return PLAIN.test(sequence) ? sequence : escapeBytes(sequence);
  const character = toUtf8(sequence);
  return UNSAFE.test(character) ? escapeBytes(sequence) : character;
}

/**
 * A name or path for people: UTF-8 text with controls, bidirectional controls and malformed bytes written `\xNN`, and
 * a backslash written `\\`. One line, safe to print, and two different names never look the same to a parser.
 */
export function displayName(bytes: ByteString): string {
  return PLAIN.test(bytes) ? bytes : bytes.replace(SEQUENCE, displaySequence);
}
