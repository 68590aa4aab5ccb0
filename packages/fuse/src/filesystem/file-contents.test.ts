import { CHUNK_TYPE, ENTRY_KIND, type TreeEntry } from '@cairn/core';
import { describe, expect, it } from 'vitest';

import { FileContents, type ContentSource } from './file-contents.ts';

const CHUNK_BYTES = 1000;

/** A record of a content reference (format page, section 4.8): id 32, length u64. */
function record(id: number, length: number): Buffer {
  const bytes = Buffer.alloc(40, id);
  bytes.writeBigUInt64LE(BigInt(length), 32);
  return bytes;
}

/** A file of one chunk list with two chunks, which is what a file of more than 64 chunks has at least. */
function listed(id: number): TreeEntry {
  const content = { level: 1, records: record(id, 2 * CHUNK_BYTES), length: 2 * CHUNK_BYTES };
  return { kind: ENTRY_KIND.file, size: 2 * CHUNK_BYTES, content, holes: null } as TreeEntry;
}

describe('FileContents', () => {
  it('keeps chunk lists of the large files that were read last, and of no more: they are large themselves', async () => {
    const lists: number[] = [];
    const source: ContentSource = {
      prefetch: () => undefined,
      kept: undefined,
      chunk: (type, id) => {
        if (type !== CHUNK_TYPE.list) return Promise.resolve(Buffer.alloc(CHUNK_BYTES, id[0]));
        lists.push(id[0] as number);
        return Promise.resolve(Buffer.concat([record(100, CHUNK_BYTES), record(101, CHUNK_BYTES)]));
      },
    };
    const contents = new FileContents(source);
    const read = async (file: number, offset: number): Promise<void> => {
      const pieces = await contents.read(file, () => Promise.resolve(listed(file)), offset, 10);
      expect(Buffer.concat(pieces)).toEqual(Buffer.alloc(10, offset < CHUNK_BYTES ? 100 : 101));
    };
    const files = Array.from({ length: 40 }, (_, i) => i + 1);
    for (const file of files) {
      await read(file, 0);
      await read(file, 1500);
    }
    expect(lists).toEqual(files);
    await read(40, 500);
    await read(25, 500);
    expect(lists).toEqual(files);
    await read(1, 500);
    expect(lists).toEqual([...files, 1]);
  });

  const MiB = 1024 * 1024;
  const CHUNKS = 60;

  /** Reads a file of a chunk for each MiB, at these offsets; gives the chunks that were told, and how many were asked for then. */
  async function expectedOf(offsets: readonly number[]): Promise<{ chunk: number; asked: number }[]> {
    const expected: { chunk: number; asked: number }[] = [];
    const asked = new Set<number>();
    const source: ContentSource = {
      prefetch: (_type, id) => void asked.add(id[0] as number),
      kept: undefined,
      chunk: (_type, id) => {
        asked.add(id[0] as number);
        return Promise.resolve(Buffer.alloc(MiB));
      },
      expect: (ids) => expected.push(...ids.map((id) => ({ chunk: id[0] as number, asked: asked.size }))),
    };
    const contents = new FileContents(source);
    const records = Buffer.concat(Array.from({ length: CHUNKS }, (_, i) => record(i, MiB)));
    const entry = {
      kind: ENTRY_KIND.file,
      size: CHUNKS * MiB,
      content: { level: 0, records, length: CHUNKS * MiB },
      holes: null,
    } as TreeEntry;
    for (const offset of offsets) await contents.read(1, () => Promise.resolve(entry), offset, MiB / 2);
    return expected;
  }

  it('tells of chunks long before they are opened, each once, while a file is read in order', async () => {
    const expected = await expectedOf(Array.from({ length: 2 * CHUNKS }, (_, i) => (i * MiB) / 2));
    // Not the first, which is read by then.
    expect(expected.map(({ chunk }) => chunk)).toEqual(Array.from({ length: CHUNKS - 1 }, (_, i) => i + 1));
    const early = expected.filter(({ chunk, asked }) => chunk - asked >= 8);
    expect(early.length).toBeGreaterThan(CHUNKS / 2);
  });

  it('tells of none while a file is read here and there', async () => {
    expect(await expectedOf([40, 3, 55, 20, 31, 8].map((at) => at * MiB))).toEqual([]);
  });
});
