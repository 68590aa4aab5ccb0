import { displayName, isUtf8, toUtf8, type ByteString } from '@cairn/core';

/**
 * The shapes of JSON output; `docs/reference/json.md` documents each, and a test holds the two together. Names are in snake
 * case. A field without a value is left out.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };
export type JsonObject = { readonly [name: string]: Json | undefined };

/** `{NAME: text}`; where the bytes are no UTF-8 the text is escaped, and `NAME_b64` has them. */
export function bytesField(name: string, bytes: ByteString): JsonObject {
  if (isUtf8(bytes)) return { [name]: toUtf8(bytes) };
  return { [name]: displayName(bytes), [`${name}_b64`]: Buffer.from(bytes, 'latin1').toString('base64') };
}
