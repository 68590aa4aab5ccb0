import { extendedValue, type ByteString } from '@cairn/core';

import type { Attributes } from '../filesystem/attributes.ts';

/**
 * On every answer. What is in a backup was written by anybody: no browser may run it, guess its type, put it into a frame, or
 * tell other sites where it comes from.
 */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox allow-downloads",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'private, no-cache',
};

/** What a browser may show itself; everything else is to be saved. */
const SHOWN_TYPES: Readonly<Record<string, string>> = {
  txt: 'text/plain; charset=utf-8',
  log: 'text/plain; charset=utf-8',
  conf: 'text/plain; charset=utf-8',
  md: 'text/plain; charset=utf-8',
  json: 'text/plain; charset=utf-8',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
};

const NS_PER_MS = 1_000_000n;

/** The headers of a file's content. */
export function fileHeaders(name: ByteString, attributes: Attributes): Record<string, string> {
  const type = SHOWN_TYPES[/\.([a-z]{1,4})$/i.exec(name)?.[1]?.toLowerCase() ?? ''];
  return {
    'Content-Type': type ?? 'application/octet-stream',
    'Content-Disposition': disposition(type === undefined ? 'attachment' : 'inline', name),
    'Accept-Ranges': 'bytes',
    'Last-Modified': httpTime(attributes.mtimeNs),
    ETag: entityTag(attributes),
  };
}

/** Content of one size and time at one place of a repository does not change. */
export function entityTag({ size, mtimeNs, ctimeNs }: Attributes): string {
  return `"${size.toString(16)}-${mtimeNs.toString(16)}-${ctimeNs.toString(16)}"`;
}

/** RFC 9110, section 5.6.7. */
export function httpTime(timeNs: bigint): string {
  return dateOf(timeNs).toUTCString();
}

/** RFC 3339, in seconds. */
export function isoTime(timeNs: bigint): string {
  return dateOf(timeNs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z');
}

function dateOf(timeNs: bigint): Date {
  const date = new Date(Number(timeNs / NS_PER_MS));
  return Number.isNaN(date.getTime()) ? new Date(0) : date;
}

/** Value of Content-Disposition (RFC 6266) for what is to be saved under a name. */
export function attachment(name: ByteString): string {
  return disposition('attachment', name);
}

function disposition(how: 'attachment' | 'inline', name: ByteString): string {
  return `${how}; filename*=${extendedValue(name)}`;
}
