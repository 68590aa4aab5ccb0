import { archiveJson } from '@cairn/api/shapes';
import type { ArchiveRecord } from '@cairn/core';

import { safeText } from './safe-text.ts';
import type { Context } from '../context.ts';
import { JsonArray } from './json-array.ts';

/** An archive on a line: its name, and enough of its id. */
export function archiveText({ name, id }: Pick<ArchiveRecord, 'name' | 'id'>): string {
  return `${safeText(name)} (${id.slice(0, 8)})`;
}

/** Prints archives as they are after something was said about them, each with what counts now. */
export async function printAnnotated(
  { json, output }: Pick<Context, 'json' | 'output'>,
  archives: readonly ArchiveRecord[],
  text: (archive: ArchiveRecord) => string,
): Promise<void> {
  if (!json) {
    for (const archive of archives) await output.line(`${archiveText(archive)}: ${text(archive)}`);
    return;
  }
  const array = new JsonArray(output);
  for (const archive of archives) await array.add(archiveJson(archive));
  await array.end();
}
