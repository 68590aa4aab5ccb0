import { displayName, ENTRY_KIND, type ByteString } from '@cairn/core';

import type { Listed } from '../filesystem/file-system.ts';
import { isoTime } from './headers.ts';
import { encoded, escaped } from './paths.ts';

const STYLE =
  'body{font-family:system-ui,sans-serif;margin:2em}table{border-collapse:collapse}' +
  'td,th{padding:.15em 1em .15em 0;text-align:left}td.n{text-align:right;font-variant-numeric:tabular-nums}';

/** The page of a directory, in parts. Names are shown as text, whatever is in them. */
export class DirectoryPage {
  private readonly names: readonly ByteString[];
  private readonly tar: string | undefined;

  /** @param tar where the directory can be had as tar, relative to the page. */
  constructor(names: readonly ByteString[], tar: string | undefined) {
    this.names = names;
    this.tar = tar;
  }

  begin(): string {
    const title = escaped(`/${this.names.map(displayName).join('/')}`);
    const tar = this.tar === undefined ? '' : `<p><a href="${this.tar}">Everything in it as tar</a></p>\n`;
    const up = this.names.length === 0 ? '' : '<tr><td><a href="../">..</a></td><td></td><td></td></tr>\n';
    return `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title><style>${STYLE}</style></head>
<body><h1>${title}</h1>\n${tar}<table><tr><th>Name</th><th>Size</th><th>Changed</th></tr>\n${up}`;
  }

  row({ name, kind, found }: Listed): string {
    const isDirectory = kind === ENTRY_KIND.directory;
    const shown = escaped(displayName(name)) + (isDirectory ? '/' : '');
    const canOpen = isDirectory || kind === ENTRY_KIND.file || kind === ENTRY_KIND.symlink;
    const cell = canOpen ? `<a href="${encoded(name)}${isDirectory ? '/' : ''}">${shown}</a>` : shown;
    const size = kind === ENTRY_KIND.file && found !== undefined ? String(found.attributes.size) : '';
    const time = found === undefined ? '' : isoTime(found.attributes.mtimeNs);
    return `<tr><td>${cell}</td><td class="n">${size}</td><td>${time}</td></tr>\n`;
  }

  end(): string {
    return '</table></body></html>\n';
  }
}
