import { decodeEntry, fromUtf8, systemEnvironment, type ArchiveRecord } from '@cairn/core';
import { makeHardTree } from '@cairn/core/testing';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { nodeAt, Shelf } from '../../test/support/shelf.ts';
import type { ArchiveFileSystem, Listed } from './file-system.ts';
import type { Found } from './places.ts';

async function found(fileSystem: ArchiveFileSystem, parent: number, name: string): Promise<Found> {
  const entry = await fileSystem.lookup(parent, name);
  if (entry === undefined) throw new Error(`there is no ${name}`);
  return entry;
}

async function listed(fileSystem: ArchiveFileSystem, node: number, plus = false, room = Infinity): Promise<Listed[]> {
  const all: Listed[] = [];
  for (;;) {
    const before = all.length;
    await fileSystem.list(node, all.at(-1)?.next ?? 0, plus, (one) => all.length - before < room && all.push(one) > 0);
    if (all.length === before || room === Infinity) return all;
  }
}

const read = async (fileSystem: ArchiveFileSystem, node: number, offset: number, length: number): Promise<Buffer> =>
  Buffer.concat(await fileSystem.read(node, offset, length));

describe('one archive', () => {
  it('lists directories whole, however little room there is for an answer', async () => {
    await using shelf = await Shelf.make(
      (directory) => void makeHardTree(fromUtf8(directory), { small: true, depth: 3 }),
    );
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive });
    const wide = await nodeAt(fileSystem, ['wide'], await shelf.source(fileSystem, archive));
    const atOnce = await listed(fileSystem, wide);
    expect(atOnce.map(({ name }) => name).slice(0, 3)).toEqual(['.', '..', 'entry-000']);
    expect(atOnce).toHaveLength(302);
    for (const room of [1, 7, 100]) expect(await listed(fileSystem, wide, false, room)).toEqual(atOnce);
    const plus = await listed(fileSystem, wide, true, 50);
    expect(plus.map(({ name, node, kind, next }) => ({ name, node, kind, next }))).toEqual(atOnce);
    for (const { name, node, found: told } of plus.slice(2)) {
      expect(told?.attributes).toEqual((await found(fileSystem, wide, name)).attributes);
      expect((await fileSystem.attributes(node)).attributes).toEqual(told?.attributes);
    }
    expect(shelf.problems).toEqual([]);
  });

  it('gives names of one file one node, and counts them', async () => {
    await using shelf = await Shelf.make(
      (directory) => void makeHardTree(fromUtf8(directory), { small: true, depth: 3 }),
    );
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive });
    const links = await nodeAt(fileSystem, ['links'], await shelf.source(fileSystem, archive));
    const first = await found(fileSystem, links, 'first');
    const third = await found(fileSystem, await nodeAt(fileSystem, ['directory'], links), 'third\xff');
    expect(third.attributes).toEqual(first.attributes);
    expect([first.attributes.links, first.validS]).toEqual([3, 3600]);
    expect((await found(fileSystem, links, 'unrelated')).attributes).toMatchObject({ links: 1 });
  });

  it('reads anywhere, holes as zeros, nothing beyond the end', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) % 251));
    await using shelf = await Shelf.make((directory) => {
      writeFileSync(`${directory}/file`, content);
      makeHardTree(fromUtf8(join(directory, 'tree')), { small: true, depth: 2, entries: 2 });
    });
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive });
    const source = await shelf.source(fileSystem, archive);
    const file = await nodeAt(fileSystem, ['file'], source);
    for (const [offset, length] of [
      [0, 10],
      [299_990, 100],
      [150_000, 100_000],
      [300_000, 5],
      [400_000, 5],
    ] as const) {
      expect((await read(fileSystem, file, offset, length)).equals(content.subarray(offset, offset + length))).toBe(
        true,
      );
    }
    const odd = await nodeAt(fileSystem, ['tree', 'sparse', 'no-data'], source);
    expect(await read(fileSystem, odd, 1000, 50)).toEqual(Buffer.alloc(50));
    await expect(fileSystem.read(source, 0, 1)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(fileSystem.lookup(file, 'x')).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(await fileSystem.lookup(source, 'absent')).toBeUndefined();
  });

  it('forgets directories that nobody knows any more, and refuses their old nodes', async () => {
    await using shelf = await Shelf.make((directory) => mkdirSync(`${directory}/a/b`, { recursive: true }));
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive });
    const source = await shelf.source(fileSystem, archive);
    const a = (await found(fileSystem, source, 'a')).attributes.node;
    const b = (await found(fileSystem, a, 'b')).attributes.node;
    expect((await found(fileSystem, source, 'a')).attributes.node).toBe(a);
    fileSystem.forget(a, 2);
    // What is in it is still known, and leads through it.
    expect((await fileSystem.attributes(b)).attributes.kind).toBe(2);
    fileSystem.forget(b, 1);
    await expect(fileSystem.attributes(b)).rejects.toThrow('ESTALE');
    await expect(fileSystem.attributes(a)).rejects.toThrow('ESTALE');
    const again = (await found(fileSystem, source, 'a')).attributes.node;
    expect(again).not.toBe(a);
  });

  it('maps owners and permissions, and hides access control lists behind a umask', async () => {
    await using shelf = await Shelf.make((directory) => writeFileSync(`${directory}/file`, 'x', { mode: 0o666 }));
    const archive = shelf.repository.archive('latest');
    const fileSystem = shelf.show({ archive }, { rules: { uid: 1000, gid: 1001, umask: 0o027 } });
    const source = await shelf.source(fileSystem, archive);
    const { attributes } = await found(fileSystem, source, 'file');
    expect(attributes).toMatchObject({ uid: 1000, gid: 1001 });
    expect(attributes.mode & 0o027).toBe(0);
  });

  it('tells once which file and object could not be read, and answers EIO', async () => {
    await using shelf = await Shelf.make((directory) => writeFileSync(`${directory}/file`, 'content'));
    const archive = shelf.repository.archive('latest');
    const broken = {
      prefetch: () => undefined,
      chunk: async (type: 1 | 2 | 3, id: Uint8Array) => {
        if (type === 1)
          throw new (await import('@cairn/core')).CairnError('CORRUPT', 'chunk 12 is damaged (in packs/34)');
        return await shelf.reader.chunk(type, id);
      },
    };
    const fileSystem = shelf.show({ archive }, { reader: broken });
    const file = await nodeAt(fileSystem, ['file'], await shelf.source(fileSystem, archive));
    for (let i = 0; i < 3; i++) await expect(fileSystem.read(file, 0, 7)).rejects.toMatchObject({ code: 'EIO' });
    expect(shelf.problems).toEqual([
      expect.stringMatching(/^\/.*\/file in home-.*: chunk 12 is damaged \(in packs\/34\)$/),
    ]);
  });
});

describe('a whole repository', () => {
  it('has a directory for each series and archive, a link to the newest, and shows what is new', async () => {
    await using shelf = await Shelf.make((directory) => writeFileSync(`${directory}/f`, '1'), ['home', 'a/b']);
    const { repository } = shelf;
    let ms = 0;
    const clock = { ...systemEnvironment.clock, monotonicMs: () => ms };
    const all = { archives: () => repository.archives(), refresh: async () => await repository.access.log.refresh() };
    const entered: string[] = [];
    const onEnter = async ({ name }: ArchiveRecord): Promise<void> => void entered.push(name);
    const fileSystem = shelf.show({ all }, { clock, onEnter });
    const names = async (node: number): Promise<string[]> =>
      (await listed(fileSystem, node)).map(({ name }) => name).slice(2);
    expect(await names(fileSystem.root)).toEqual(['a_b', 'home']);
    const series = await nodeAt(fileSystem, ['home']);
    const [archive] = repository.archives({ series: 'home' });
    expect(await names(series)).toEqual([archive?.name, 'latest']);
    const latest = await nodeAt(fileSystem, ['latest'], series);
    expect(await fileSystem.readLink(latest)).toBe(archive?.name);
    expect(fileSystem.isFixed(series)).toBe(false);
    // Looking at its directory is not looking into it.
    expect(entered).toEqual([]);
    const inside = await nodeAt(fileSystem, [archive?.name ?? ''], series);
    expect((await names(inside)).length).toBeGreaterThan(0);
    expect(entered).toEqual([archive?.name]);
    writeFileSync(`${shelf.directory}/f`, '2');
    await repository.backup({ paths: [shelf.directory], series: 'home', threads: 0 });
    ms += 10_000;
    const newest = repository.archives({ series: 'home' }).at(-1);
    expect(await names(series)).toEqual([archive?.name, newest?.name, 'latest'].sort());
    const target = await nodeAt(fileSystem, ['latest'], series);
    expect(target).not.toBe(latest);
    expect(await fileSystem.readLink(target)).toBe(newest?.name);
    // Two directories of one name in two archives are two nodes.
    expect(decodeEntry(newest?.descriptor.root ?? new Uint8Array(), true).kind).toBe(2);
    expect(new Set([inside, await nodeAt(fileSystem, [newest?.name ?? ''], series)]).size).toBe(2);
  });
});
