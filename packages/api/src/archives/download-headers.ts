import { extendedValue, isUtf8, toUtf8, type ByteString } from '@cairn/core';

/** Headers of an answer that is saved as a file of that name, never shown, and kept by nobody on the way. */
export function downloadHeaders(name: ByteString, type = 'application/octet-stream'): Record<string, string> {
  return { 'cache-control': 'private, no-store', 'content-type': type, 'content-disposition': disposition(name) };
}

/**
 * RFC 6266: the name for programs that know no more than ASCII, and the whole name. Neither can end the header: one has letters,
 * digits and little else, the other is percent-encoded.
 */
function disposition(name: ByteString): string {
  const plain = (isUtf8(name) ? toUtf8(name) : name).replaceAll(/[^\w.+@ -]/g, '_').replace(/^[. ]+/, '_');
  return `attachment; filename="${plain === '' ? 'download' : plain}"; filename*=${extendedValue(name)}`;
}
