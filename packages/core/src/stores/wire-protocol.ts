import type { ErrorCode } from '../errors.ts';
import { CairnError, ERROR_TABLE } from '../errors.ts';
import type { ObjectKey, ObjectKind } from '../ids.ts';
import { isObjectName } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import type { ByteRange, ObjectInfo } from '../ports/object-store.ts';

/**
 * The words that client and server exchange (docs/reference/server-protocol.md): paths, pages of a listing, errors. Both sides
 * use this file, so neither can drift.
 */
export const WIRE_PATH = '/v1/objects';

/** Header of every answer that is an error: its code. There also where a body cannot be, as for HEAD. */
export const ERROR_HEADER = 'cairn-error';

/** Errors that a server may report for a call of a store; anything else it says is `STORE_FAILED`. */
const WIRE_ERRORS: ReadonlySet<string> = new Set<ErrorCode>([
  'USAGE',
  'REPOSITORY_MISSING',
  'FORMAT_UNSUPPORTED',
  'CORRUPT',
  'OBJECT_MISSING',
  'OBJECT_EXISTS',
  'STORE_UNREACHABLE',
  'STORE_FULL',
  'STORE_DENIED',
  'STORE_FAILED',
  'LIMIT_EXCEEDED',
]);

export function objectUrl({ kind, name }: ObjectKey): string {
  return `${WIRE_PATH}/${kind}/${name}`;
}

/** The page of a listing that follows the object `after`; '' for the first. */
export function pageUrl(kind: ObjectKind, after: string): string {
  return `${WIRE_PATH}/${kind}${after === '' ? '' : `?after=${after}`}`;
}

/** `length` is at least 1: HTTP has no empty ranges. */
export function rangeHeader({ offset, length }: ByteRange): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

/** A range as the protocol has it, both ends given; undefined for every other form. */
export function parseRange(header: string): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(header) ?? [];
  const [offset, length] = [Number(first), Number(last) - Number(first) + 1];
  return first !== '' && length >= 1 ? { offset, length } : undefined;
}

export function contentRange({ offset, length }: ByteRange, sizeBytes: number): string {
  return `bytes ${offset}-${offset + length - 1}/${sizeBytes}`;
}

/** A page ends with one of these lines; a page without is cut off. */
export const PAGE_END = { more: 'more', last: 'end' } as const;

export function listingLine({ name, sizeBytes, receivedMs }: ObjectInfo): string {
  return `${name} ${sizeBytes} ${receivedMs}\n`;
}

export interface ListingPage {
  readonly infos: readonly ObjectInfo[];
  readonly more: boolean;
}

/**
 * Reads a page of a listing. Rejects with `STORE_FAILED` when it is cut off, out of order, repeats names, or is no listing; a
 * name that is none makes the whole page so.
 * @param after the name that the page follows.
 */
export function parsePage(kind: ObjectKind, after: string, text: string, what: string): ListingPage {
  const fail = (how: string): CairnError =>
    new CairnError('STORE_FAILED', `cannot ${what}: ${how}`, { hint: 'Is it a Cairn server of this version?' });
  const lines = text.split('\n');
  const end = lines.at(-2);
  if (lines.at(-1) !== '' || (end !== PAGE_END.more && end !== PAGE_END.last)) throw fail('the listing is cut off');
  const infos: ObjectInfo[] = [];
  let before = after;
  for (const line of lines.slice(0, -2)) {
    const [, name = '', size = '', received = ''] = /^([0-9a-z]+) (\d{1,15}) (\d{1,15})$/.exec(line) ?? [];
    if (!isObjectName(kind, name)) throw fail('the listing has a line that names no object');
    if (name <= before) throw fail('the listing is out of order');
    before = name;
    infos.push({ kind, name, sizeBytes: Number(size), receivedMs: Number(received) });
  }
  const more = end === PAGE_END.more;
  if (more && infos.length === 0) throw fail('the listing goes on without an object');
  if (infos.length > LIMITS.wirePageObjects) throw fail('a page of the listing is too long');
  return { infos, more };
}

/** What an error looks like in a body. */
export function errorBody({ code, message, hint }: CairnError): string {
  return JSON.stringify({ code, message, ...(hint === undefined ? {} : { hint }) });
}

/** What a status means when the answer does not say its error: something between the client and the server spoke. */
function codeOfStatus(status: number): ErrorCode {
  if (status === 401 || status === 403) return 'STORE_DENIED';
  if (status === 413) return 'LIMIT_EXCEEDED';
  if (status === 507) return 'STORE_FULL';
  if ([408, 429, 502, 503, 504].includes(status)) return 'STORE_UNREACHABLE';
  return 'STORE_FAILED';
}

/**
 * The error that an answer tells. That an object is missing or exists is believed only of a Cairn server, which says so in a
 * header: a proxy's 404 must not look like an object that is absent.
 */
export function errorOfAnswer(status: number, code: string | undefined, body: Uint8Array, what: string): CairnError {
  const known = code !== undefined && WIRE_ERRORS.has(code) ? (code as ErrorCode) : undefined;
  const said = known === undefined ? undefined : saidBy(body);
  return new CairnError(
    known ?? codeOfStatus(status),
    `cannot ${what}: ${said?.message ?? `the server answered with status ${status}`}`,
    said?.hint === undefined ? {} : { hint: said.hint },
  );
}

function saidBy(body: Uint8Array): { readonly message?: string; readonly hint?: string } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString('utf8'));
  } catch {
    // The code in the header is what counts; the text is for people.
    return {};
  }
  const texts = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const text = (name: string): string | undefined => {
    const found = texts[name];
    return typeof found === 'string' ? plainText(found) : undefined;
  };
  const [message, hint] = [text('message'), text('hint')];
  return { ...(message === undefined ? {} : { message }), ...(hint === undefined ? {} : { hint }) };
}

/** A server may be hostile: no control characters, which a terminal would obey. */
function plainText(text: string): string {
  return text.slice(0, 2_000).replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}

/** HTTP status of an error. */
export function statusOf(code: ErrorCode): number {
  if (code === 'OBJECT_MISSING') return 404;
  return ERROR_TABLE[code].http;
}
