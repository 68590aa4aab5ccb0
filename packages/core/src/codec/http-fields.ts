import { displayName, isUtf8, toUtf8, type ByteString } from '../host/byte-path.ts';

/** A part of a file: first byte and number of bytes. */
export interface Part {
  readonly offset: number;
  readonly length: number;
}

/**
 * What of a file of `size` bytes a `Range` header asks for (RFC 9110, section 14): undefined means all of it, which is also the
 * answer to what is no byte range or several of them; `'none'` that it has no such bytes.
 */
export function partOf(header: string | undefined, size: number): Part | 'none' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  if (first === '') {
    const length = Math.min(size, Number(last));
    return length === 0 ? 'none' : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return undefined;
  if (offset >= size) return 'none';
  const end = last === '' ? size : Math.min(size, Number(last) + 1);
  return { offset, length: end - offset };
}

/**
 * A name as the value of a parameter such as `filename*` (RFC 8187, section 3.2): ASCII only, whatever is in it, so that nothing
 * of it can end the header. What is no UTF-8 is shown escaped.
 */
export function extendedValue(name: ByteString): string {
  const text = isUtf8(name) ? toUtf8(name) : displayName(name);
  const encoded = encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `UTF-8''${encoded}`;
}
