import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { bytesOf } from '../host/byte-path.ts';
import { ArchiveBuilder, directoryNode, fileNode, symlinkNode } from '../testing/archive-builder.ts';
import type { ChunkSource } from './chunk-source.ts';
import type { ContentReference } from './content.ts';
import { DirectoryListing } from './directory-listing.ts';
import { decodeEntry, entryLink } from './entry.ts';

// 400 entries of about 80 bytes: the test archives cut directories every 4 KiB, so entries lie across chunks.
const names = Array.from({ length: 400 }, (_, i) => `entry-${String(i * 3).padStart(4, '0')}\xff`);
let source: ChunkSource;
let content: ContentReference;
let empty: ContentReference;

beforeAll(async () => {
  const builder = await ArchiveBuilder.create();
  const archive = await builder.commit([
    directoryNode('empty', []),
    directoryNode('wide', [...names.map((name) => fileNode(name, '')), symlinkNode('a', 'b', { link: 2, inode: 77n })]),
  ]);
  source = await (await builder.access()).chunkReader();
  const root = decodeEntry(archive.descriptor.root, true);
  const listing = await DirectoryListing.load(source, root.content as ContentReference);
  const contentOf = async (name: string): Promise<ContentReference> =>
    decodeEntry((await listing.find(name))?.bytes ?? new Uint8Array()).content as ContentReference;
  content = await contentOf('wide');
  empty = await contentOf('empty');
});

describe('DirectoryListing', () => {
  it('finds every entry by name and by number, and nothing else', async () => {
    const listing = await DirectoryListing.load(source, content);
    const sorted = [...names, 'a'].sort((a, b) => bytesOf(a).compare(bytesOf(b)));
    expect(listing.count).toBe(401);
    for (const [ordinal, name] of sorted.entries()) {
      const found = await listing.find(name);
      expect(found).toMatchObject({ name, ordinal });
      expect(decodeEntry(found?.bytes ?? new Uint8Array()).name).toBe(name);
      expect((await listing.at(ordinal))?.name).toBe(name);
    }
    for (const name of ['', 'A', 'b', 'entry-0001\xff', 'entry-0003', 'zzz']) {
      expect(await listing.find(name)).toBeUndefined();
    }
    expect(await listing.at(401)).toBeUndefined();
  });

  it('lists from any number to the end', async () => {
    const listing = await DirectoryListing.load(source, content);
    const sorted = [...names, 'a'].sort((a, b) => bytesOf(a).compare(bytesOf(b)));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 402 }), async (from) => {
        const listed: string[] = [];
        const cursor = listing.from(from);
        for (let entry = cursor.next(); entry !== undefined; entry = cursor.next()) {
          if (entry === 'more') await cursor.load();
          else listed.push(entry.name);
        }
        expect(listed).toEqual(sorted.slice(from));
      }),
      { numRuns: 30 },
    );
  });

  it('of an empty directory has nothing', async () => {
    const listing = await DirectoryListing.load(source, empty);
    expect([listing.count, await listing.find('a'), await listing.at(0)]).toEqual([0, undefined, undefined]);
  });

  it('refuses a chunk of another length, and passes on what the source says', async () => {
    const short: ChunkSource = { chunk: async (type, id) => (await source.chunk(type, id)).subarray(1) };
    await expect(DirectoryListing.load(short, content)).rejects.toMatchObject({ code: 'CORRUPT' });
    const gone: ChunkSource = { chunk: () => Promise.reject(new Error('gone')) };
    await expect(DirectoryListing.load(gone, content)).rejects.toThrow('gone');
  });
});

describe('entryLink', () => {
  it('tells kind and link group as the whole entry does', async () => {
    const listing = await DirectoryListing.load(source, content);
    const { bytes } = (await listing.find('a')) ?? { bytes: new Uint8Array() };
    expect(entryLink(bytes)).toEqual({ kind: 3, link: { link: 2, inode: 77n } });
    const other = (await listing.at(3)) ?? { bytes: new Uint8Array() };
    expect(entryLink(other.bytes)).toEqual({ kind: 1, link: null });
  });
});
