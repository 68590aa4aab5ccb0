import { CHUNK_TYPE } from '@cairn/core';
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { nodeAt, Shelf } from '../../test/support/shelf.ts';
import type { ArchiveFileSystem } from './file-system.ts';

const FILES = 40;
const nameOf = (i: number): string => `f${String(i).padStart(3, '0')}`;

interface Watched extends AsyncDisposable {
  readonly fileSystem: ArchiveFileSystem;
  readonly nodes: readonly number[];
  /** Chunks of files that somebody asked for who was going to read them. */
  readonly prefetched: number[];
}

/** A directory of files of different lengths; chunks are known by theirs. */
async function watched(): Promise<Watched> {
  const shelf = await Shelf.make((directory) => {
    for (let i = 0; i < FILES; i++) writeFileSync(`${directory}/${nameOf(i)}`, Buffer.alloc(1000 + i, `${i} `));
  });
  const { reader } = shelf;
  const prefetched: number[] = [];
  const source = {
    chunk: reader.chunk.bind(reader),
    kept: reader.kept.bind(reader),
    prefetch: (type: 1 | 2 | 3, id: Uint8Array) => {
      void reader.chunk(type, id).then(({ length }) => type === CHUNK_TYPE.data && prefetched.push(length - 1000));
    },
  };
  const archive = shelf.repository.archive('latest');
  const fileSystem = shelf.show({ archive }, { reader: source });
  const directory = await shelf.source(fileSystem, archive);
  const nodes = await Promise.all(Array.from({ length: FILES }, (_, i) => nodeAt(fileSystem, [nameOf(i)], directory)));
  return { fileSystem, nodes, prefetched, [Symbol.asyncDispose]: async () => await shelf[Symbol.asyncDispose]() };
}

/** Reads files until the one that was read is there; gives what it has. */
async function read({ fileSystem, nodes }: Watched, i: number): Promise<string> {
  const pieces = await fileSystem.read(nodes[i] ?? 0, 0, 4096);
  // What is read ahead needs no more than memory here, so a turn of the event loop is enough for it.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  return Buffer.concat(pieces).toString();
}

describe('files that are read one after the other', () => {
  it('are got ready before they are asked for, each once', async () => {
    await using all = await watched();
    expect(await read(all, 0)).toBe(Buffer.alloc(1000, '0 ').toString());
    await read(all, 1);
    expect(all.prefetched).toEqual([]);
    await read(all, 2);
    expect(all.prefetched.slice(0, 3)).toEqual([3, 4, 5]);
    for (let i = 3; i < FILES; i++) {
      const now = all.fileSystem.readNow(all.nodes[i] ?? 0, 0, 4096);
      expect(Buffer.concat(now ?? []).toString()).toBe(Buffer.alloc(1000 + i, `${i} `).toString());
      await read(all, i);
    }
    expect(all.prefetched).toEqual(Array.from({ length: FILES - 3 }, (_, i) => i + 3));
  });

  it('but not those that are read in no order', async () => {
    await using all = await watched();
    for (const i of [30, 10, 25, 5, 20, 0]) expect((await read(all, i)).length).toBe(1000 + i);
    expect(all.prefetched).toEqual([]);
  });
});
