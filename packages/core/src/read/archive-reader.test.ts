import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import type { ObjectKey } from '../ids.ts';
import type { MemoryObject } from '../stores/memory.ts';
import { ArchiveBuilder, fileNode } from '../testing/archive-builder.ts';
import { FaultyStore } from '../testing/faulty-store.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { ArchiveView } from '../tree/archive-view.ts';
import type { ChunkSource } from '../tree/chunk-source.ts';
import { ArchiveReader } from './archive-reader.ts';
import { ChunkCache } from './chunk-cache.ts';

/** The compiled reader: worker threads exist only there. Built with `npm run build`. */
const compiled = new URL('../../dist/read/archive-reader.js', import.meta.url);

async function readerClass(threads: number): Promise<typeof ArchiveReader> {
  if (threads === 0) return ArchiveReader;
  return ((await import(compiled.href)) as { ArchiveReader: typeof ArchiveReader }).ArchiveReader;
}

/** Large enough for a thread, incompressible and not; and small ones, which are opened at once. */
const pieces = [
  pseudoRandomBytes('large', 300_000),
  Buffer.alloc(400_000, 'compressible '),
  pseudoRandomBytes('small', 5_000),
  pseudoRandomBytes('another', 200_000),
];

async function sample(): Promise<{ builder: ArchiveBuilder; objects: Map<string, MemoryObject>; ids: Uint8Array[] }> {
  const objects = new Map<string, MemoryObject>();
  const builder = await ArchiveBuilder.create({ objects });
  const archive = await builder.commit([fileNode('f', pieces)]);
  const view = new ArchiveView(await (await builder.access()).chunkReader(), archive);
  const { content } = await view.entry('f');
  const records = content?.records ?? Buffer.alloc(0);
  return { builder, objects, ids: pieces.map((_, i) => records.subarray(40 * i, 40 * i + 32)) };
}

describe.each([0, 2])('ArchiveReader with %d threads', (threads) => {
  it('opens chunks, many at once, and each once', async () => {
    const { builder, ids } = await sample();
    const store = new FaultyStore(builder.store);
    const Reader = await readerClass(threads);
    const reader = await Reader.open(await builder.access(store), { threads });
    const before = store.counts.get;
    for (const id of ids) reader.prefetch(CHUNK_TYPE.data, id);
    const opened = await Promise.all([...ids, ...ids].map((id) => reader.chunk(CHUNK_TYPE.data, id)));
    expect(opened.map((chunk) => Buffer.from(chunk).toString('base64'))).toEqual(
      [...pieces, ...pieces].map((piece) => Buffer.from(piece).toString('base64')),
    );
    expect(store.counts.get - before).toBeLessThanOrEqual(ids.length);
    await reader[Symbol.asyncDispose]();
  });

  it('says which pack is damaged, never gives other bytes, and tries again the next time', async () => {
    const { builder, objects, ids } = await sample();
    const Reader = await readerClass(threads);
    const reader = await Reader.open(await builder.access(), { threads });
    const whole = new Map(objects);
    for (const [label, object] of whole) {
      if (!label.startsWith('packs/')) continue;
      const body = new Uint8Array(object.body);
      for (let at = 176; at < body.length; at += 20) body[at] = (body[at] as number) ^ 1;
      objects.set(label, { ...object, body });
    }
    const results = await Promise.allSettled(ids.map((id) => reader.chunk(CHUNK_TYPE.data, id)));
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'CORRUPT', message: expect.stringMatching(/packs\/[0-9a-f]{64}/) as string },
      });
    }
    for (const [label, object] of whole) objects.set(label, object);
    expect(Buffer.from(await reader.chunk(CHUNK_TYPE.data, ids[0] as Uint8Array)).equals(pieces[0] as Buffer)).toBe(
      true,
    );
    await reader[Symbol.asyncDispose]();
  });
});

describe('objects that are files', () => {
  it('are read by the threads, and the store is asked only when that fails', async () => {
    const { builder, objects, ids } = await sample();
    const directory = mkdtempSync(join(tmpdir(), 'cairn-files-'));
    for (const [label, { body }] of objects) {
      if (label.startsWith('packs/')) writeFileSync(join(directory, label.slice(6)), body);
    }
    const localFile = ({ name }: ObjectKey): string => join(directory, name);
    const store = Object.assign(new FaultyStore(builder.store), { localFile });
    const Reader = await readerClass(2);
    /** Opens everything; how often the store was asked meanwhile. */
    const asked = async (): Promise<number> => {
      await using reader = await Reader.open(await builder.access(store), { threads: 2 });
      const before = store.counts.get;
      for (const id of ids) reader.prefetch(CHUNK_TYPE.data, id);
      const opened = await Promise.all(ids.map((id) => reader.chunk(CHUNK_TYPE.data, id)));
      expect(opened.map((chunk) => Buffer.from(chunk).toString('base64'))).toEqual(
        pieces.map((piece) => Buffer.from(piece).toString('base64')),
      );
      return store.counts.get - before;
    };
    try {
      expect(await asked()).toBe(0);
      const packs = readdirSync(directory).map((name) => join(directory, name));
      for (const pack of packs) writeFileSync(pack, readFileSync(pack).fill(7, 200));
      expect(await asked()).toBeGreaterThan(0);
      for (const pack of packs) writeFileSync(pack, readFileSync(pack).subarray(0, 300));
      expect(await asked()).toBeGreaterThan(0);
      for (const pack of packs) rmSync(pack);
      expect(await asked()).toBeGreaterThan(0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('ChunkCache', () => {
  it('keeps no more than it may, and opens again what went', async () => {
    const lengths = [300, 400, 5, 200];
    const opened: number[] = [];
    const source: ChunkSource = {
      chunk: async (_, [i = 0]) => {
        opened.push(i);
        return new Uint8Array(lengths[i] ?? 0);
      },
    };
    const cache = new ChunkCache(source, { dataBytes: 450 });
    for (const i of [0, 1, 2, 3]) await cache.chunk(CHUNK_TYPE.data, Uint8Array.of(i));
    for (const i of [3, 2, 0]) await cache.chunk(CHUNK_TYPE.data, Uint8Array.of(i));
    // 400 went for 200, 200 and 5 were there, 300 is opened again and takes the place of 200.
    expect(opened).toEqual([0, 1, 2, 3, 0]);
    await cache.chunk(CHUNK_TYPE.data, Uint8Array.of(2));
    await cache.chunk(CHUNK_TYPE.data, Uint8Array.of(3));
    expect(opened).toEqual([0, 1, 2, 3, 0, 3]);
  });

  it('does not keep a failure', async () => {
    let fails = true;
    const source: ChunkSource = { chunk: async () => (fails ? Promise.reject(new Error('no')) : new Uint8Array(3)) };
    const cache = new ChunkCache(source);
    cache.prefetch(CHUNK_TYPE.tree, Uint8Array.of(1));
    await expect(cache.chunk(CHUNK_TYPE.tree, Uint8Array.of(1))).rejects.toThrow('no');
    fails = false;
    expect(await cache.chunk(CHUNK_TYPE.tree, Uint8Array.of(1))).toHaveLength(3);
  });
});

describe('chunks that were moved', () => {
  it('are found again by everybody who asked at the same time', async () => {
    const objects = new Map<string, MemoryObject>();
    const builder = await ArchiveBuilder.create({ objects });
    await builder.commit([fileNode('f', pieces)]);
    const reader = await ArchiveReader.open(await builder.access(), { threads: 0 });
    const first = new Set(objects.keys());
    // Another writer, who does not know that the chunks are there, stores them in other packs; then the first ones go.
    const second = builder.secondWriter();
    const archive = await second.commit([fileNode('f', pieces), fileNode('new', 'new')]);
    for (const label of first) if (label.startsWith('packs/')) objects.delete(label);
    const view = new ArchiveView(await (await builder.access()).chunkReader(), archive);
    const { content } = await view.entry('f');
    const ids = pieces.map((_, i) => (content?.records ?? Buffer.alloc(0)).subarray(40 * i, 40 * i + 32));
    const opened = await Promise.all(ids.map((id) => reader.chunk(CHUNK_TYPE.data, id)));
    expect(opened.map(({ length }) => length)).toEqual(pieces.map(({ length }) => length));
    await reader[Symbol.asyncDispose]();
  });
});
