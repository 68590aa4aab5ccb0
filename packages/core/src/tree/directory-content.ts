import { isCairnError } from '../errors.ts';
import type { ContentReference } from './content.ts';
import { ENTRY_KIND, entryContent, entryLink } from './entry.ts';

/** The content of an encoded entry that is a directory; undefined for anything else, also for what does not parse. */
export function directoryContent(bytes: Uint8Array): ContentReference | undefined {
  try {
    return entryLink(bytes).kind === ENTRY_KIND.directory ? (entryContent(bytes) ?? undefined) : undefined;
  } catch (error) {
    // Whoever reads the entry itself finds out what is wrong with it.
    if (!isCairnError(error, 'CORRUPT')) throw error;
    return undefined;
  }
}
