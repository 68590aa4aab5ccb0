import { displayName, ENTRY_KIND, type ByteString } from '@cairn/core';

import type { Attributes } from '../filesystem/attributes.ts';
import { entityTag, httpTime, isoTime } from './headers.ts';
import { escaped, urlOfNames } from './paths.ts';

const DAV = 'DAV:';

/** A property's name: its namespace and what it is called there. */
interface PropertyName {
  readonly namespace: string;
  readonly name: string;
}

/** What a PROPFIND asks for: some properties; or all, when undefined. */
export type AskedProperties = readonly PropertyName[] | undefined;

/**
 * Reads the body of a PROPFIND (RFC 4918, section 9.1). Only as much of XML as clients write there: elements with prefixes or a
 * default namespace, no entities of their own. `'malformed'` for anything that is not that.
 */
export function parsePropfind(body: string): AskedProperties | 'malformed' {
  if (body.trim() === '') return undefined;
  if (/<!(?:DOCTYPE|ENTITY)/i.test(body)) return 'malformed';
  const namespaces = new Map<string, string>();
  for (const [, prefix = '', double, single] of body.matchAll(
    /\sxmlns(?::([\w.-]+))?\s*=\s*(?:"([^"]*)"|'([^']*)')/g,
  )) {
    namespaces.set(prefix, double ?? single ?? '');
  }
  const text = body.replaceAll(/<\?[^]*?\?>|<!--[^]*?-->/g, '');
  if (!/<(?:[\w.-]+:)?propfind[\s/>]/.test(text)) return 'malformed';
  const asked = /<((?:[\w.-]+:)?prop)(?:\s[^>]*)?>([^]*?)<\/\1\s*>/.exec(text);
  if (asked === null) return undefined;
  return [...(asked[2] ?? '').matchAll(/<(?:([\w.-]+):)?([\w.-]+)[^>]*>/g)].map(([element, prefix = '', name = '']) => {
    const own = /\sxmlns\s*=\s*"([^"]*)"/.exec(element)?.[1];
    return { namespace: own ?? namespaces.get(prefix) ?? '', name };
  });
}

/** One `response` element of a multistatus: a file or directory and what was asked of it. */
export function propfindResponse(names: readonly ByteString[], attributes: Attributes, asked: AskedProperties): string {
  const isDirectory = attributes.kind === ENTRY_KIND.directory;
  const known = propertiesOf(names.at(-1) ?? '', attributes, isDirectory);
  const href = `<D:href>${escaped(urlOfNames(names, isDirectory))}</D:href>`;
  if (asked === undefined) return response(href, status([...known.values()], '200 OK'));
  const found: string[] = [];
  const missing: string[] = [];
  for (const { namespace, name } of asked) {
    const property = namespace === DAV ? known.get(name) : undefined;
    if (property !== undefined) found.push(property);
    else missing.push(`<x:${name} xmlns:x="${escaped(namespace)}"/>`);
  }
  return response(href, `${status(found, '200 OK')}${status(missing, '404 Not Found')}`);
}

/** Properties of RFC 4918, section 15, that this server has. */
function propertiesOf(name: ByteString, attributes: Attributes, isDirectory: boolean): Map<string, string> {
  const properties = new Map([
    ['displayname', escaped(displayName(name))],
    ['resourcetype', isDirectory ? '<D:collection/>' : ''],
    ['getlastmodified', httpTime(attributes.mtimeNs)],
    ['creationdate', isoTime(attributes.ctimeNs)],
  ]);
  if (!isDirectory) {
    properties.set('getcontentlength', String(attributes.size));
    properties.set('getcontenttype', 'application/octet-stream');
    properties.set('getetag', escaped(entityTag(attributes)));
  }
  return new Map([...properties].map(([key, value]) => [key, `<D:${key}>${value}</D:${key}>`]));
}

function response(href: string, statuses: string): string {
  return `<D:response>${href}${statuses}</D:response>\n`;
}

function status(properties: readonly string[], line: string): string {
  if (properties.length === 0) return '';
  return `<D:propstat><D:prop>${properties.join('')}</D:prop><D:status>HTTP/1.1 ${line}</D:status></D:propstat>`;
}

export const MULTISTATUS_BEGIN = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">\n';
export const MULTISTATUS_END = '</D:multistatus>\n';
