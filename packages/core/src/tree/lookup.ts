import type { ByteString } from '../host/byte-path.ts';
import type { ChunkSource } from './chunk-source.ts';
import type { ContentReference } from './content.ts';
import { DirectoryReader } from './directory-reader.ts';
import { decodeEntry, type TreeEntry } from './entry.ts';

/**
 * The entry `name` of a directory, or undefined when there is none. Reads the directory up to that name and no further, and
 * decodes only that entry. Rejects like `ChunkSource.chunk`, and with `CORRUPT` when the directory is damaged before it.
 */
export async function findChild(
  source: ChunkSource,
  directory: ContentReference,
  name: ByteString,
): Promise<TreeEntry | undefined> {
  const reader = new DirectoryReader(source, directory);
  for (;;) {
    const entry = reader.next();
    if (entry === 'more') await reader.load();
    else if (entry === undefined || entry.name > name) return undefined;
    else if (entry.name === name) return decodeEntry(entry.bytes);
  }
}
