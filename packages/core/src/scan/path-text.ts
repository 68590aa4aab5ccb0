import { isUtf8 } from 'node:buffer';

import { bytesOf, type ByteString } from '../host/byte-path.ts';

/**
 * Paths as text, for patterns: UTF-8 is decoded, so that `?` is one character, and each byte that is no UTF-8 becomes
 * one lone surrogate U+DC80 to U+DCFF (the "surrogateescape" of PEP 383, which Borg's patterns see too). Reversible.
 */
const ESCAPE_BASE = 0xdc00;

const BEYOND_ASCII = /[\u0080-\uffff]/;
const ESCAPED_BYTES = /[\udc80-\udcff]/;

/** Bytes of the longest UTF-8 sequence (RFC 3629 section 3). */
const LONGEST_SEQUENCE = 4;

export function textOfBytes(bytes: ByteString): string {
  if (!BEYOND_ASCII.test(bytes)) return bytes;
  const buffer = bytesOf(bytes);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length;) {
    const size = sequenceSize(buffer, at);
    text += size === 0 ? String.fromCharCode(ESCAPE_BASE + (buffer[at] ?? 0)) : buffer.toString('utf8', at, at + size);
    at += Math.max(1, size);
  }
  return text;
}

/** Bytes of the well-formed sequence at a place, 0 when there is none. */
function sequenceSize(buffer: Buffer, at: number): number {
  for (let size = 1; size <= LONGEST_SEQUENCE; size += 1) {
    if (isUtf8(buffer.subarray(at, at + size))) return size;
  }
  return 0;
}

/** The bytes that a text stands for; the inverse of `textOfBytes`. */
export function bytesOfText(text: string): ByteString {
  if (!BEYOND_ASCII.test(text)) return text;
  if (!ESCAPED_BYTES.test(text)) return Buffer.from(text, 'utf8').toString('latin1');
  let bytes = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isEscapedByte = code >= ESCAPE_BASE + 0x80 && code <= ESCAPE_BASE + 0xff;
    bytes += isEscapedByte
      ? String.fromCharCode(code - ESCAPE_BASE)
      : Buffer.from(character, 'utf8').toString('latin1');
  }
  return bytes;
}

/** A path in the forms that patterns look at, each made when first needed. */
export class ExaminedPath {
  /** Absolute, without a slash at its end unless it is the root. */
  readonly path: ByteString;
  /** The last component; empty for the root. */
  readonly name: ByteString;
  private cachedText: string | undefined;
  private cachedNameText: string | undefined;

  constructor(path: ByteString) {
    this.path = path;
    this.name = path.slice(path.lastIndexOf('/') + 1);
  }

  /** The path without its leading slash, as text. */
  get text(): string {
    return (this.cachedText ??= textOfBytes(this.path.slice(1)));
  }

  get nameText(): string {
    return (this.cachedNameText ??= textOfBytes(this.name));
  }
}
