import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSuite } from '../crypto/node-suite.ts';
import { CHUNK_TYPE } from '../crypto/chunk-crypto.ts';
import { isCairnError } from '../errors.ts';
import { toHex } from '../ids.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import type { ChunkSource } from './chunk-source.ts';
import { ContentBuilder, type ContentReference } from './content.ts';
import { FileReader } from './file-reader.ts';

/** Chunks in memory, by id; counts what is read. */
class FakeChunks implements ChunkSource {
  readonly chunks = new Map<string, Uint8Array>();
  readonly reads: number[] = [];

  store(type: number, plaintext: Uint8Array): Uint8Array {
    const id = nodeSuite.sha256(Uint8Array.of(type), plaintext);
    this.chunks.set(toHex(id), new Uint8Array(plaintext));
    return id;
  }

  chunk(type: number, id: Uint8Array): Promise<Uint8Array> {
    this.reads.push(type);
    const found = this.chunks.get(toHex(id));
    return found === undefined ? Promise.reject(new Error('no such chunk')) : Promise.resolve(found);
  }

  content(pieces: readonly Uint8Array[]): ContentReference {
    const builder = new ContentBuilder((type, plaintext) => this.store(type, plaintext));
    for (const piece of pieces) builder.add(this.store(CHUNK_TYPE.data, piece), piece.length);
    return builder.finish();
  }
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) {
    expect(piece.length).toBeGreaterThan(0);
    all.push(piece);
  }
  return Buffer.concat(all);
}

/** A file as runs of data (positive) and holes (negative), in turn. */
const runs = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 })), { maxLength: 8 })
  .map((pairs) => pairs.flatMap(([data, hole]) => [data, -hole]));

describe('FileReader', () => {
  it('names the chunks of a range, which are those that a read of it opens', async () => {
    const chunks = new FakeChunks();
    const pieces = [10, 20, 30, 40].map((length, i) => pseudoRandomBytes(`ahead ${i}`, length));
    const content = chunks.content(pieces);
    // Bytes 0–9 and 15–104 are data, the rest are holes.
    const file = {
      size: 110,
      content,
      holes: [
        [10, 5],
        [105, 5],
      ] as const,
    };
    const reader = new FileReader(chunks, file);
    const lengths = async (offset: number, length: number, most = 9): Promise<number[]> =>
      (await reader.chunkIds({ offset, length }, most)).map((id) => chunks.chunks.get(toHex(id))?.length ?? 0);
    expect(await lengths(0, 110)).toEqual([10, 20, 30, 40]);
    expect(await lengths(0, 110, 2)).toEqual([10, 20]);
    expect(await lengths(0, 10)).toEqual([10]);
    expect(await lengths(10, 5)).toEqual([]);
    expect(await lengths(12, 4)).toEqual([20]);
    expect(await lengths(34, 2)).toEqual([20, 30]);
    expect(await lengths(105, 50)).toEqual([]);
    expect(await lengths(500, 5)).toEqual([]);
  });

  it('reads any range of any file as the file is', async () => {
    await fc.assert(
      fc.asyncProperty(
        runs,
        fc.integer({ min: 1, max: 30 }),
        fc.nat(700),
        fc.nat(700),
        async (parts, cut, offset, length) => {
          const source = new FakeChunks();
          const size = parts.reduce((sum, part) => sum + Math.abs(part), 0);
          const whole = pseudoRandomBytes('file', size);
          const holes: [number, number][] = [];
          const data: Buffer[] = [];
          let at = 0;
          for (const part of parts) {
            const end = at + Math.abs(part);
            if (part >= 0) data.push(whole.subarray(at, end));
            else {
              whole.fill(0, at, end);
              const last = holes.at(-1);
              if (last !== undefined && last[0] + last[1] === at) last[1] += end - at;
              else holes.push([at, end - at]);
            }
            at = end;
          }
          const bytes = Buffer.concat(data);
          const pieces: Buffer[] = [];
          for (let from = 0; from < bytes.length; from += cut) pieces.push(bytes.subarray(from, from + cut));
          const reader = new FileReader(source, {
            size,
            holes: holes.length > 0 ? holes : null,
            content: source.content(pieces),
          });
          expect(await bytesOf(reader.read())).toEqual(whole);
          expect(await bytesOf(reader.read({ offset, length }))).toEqual(whole.subarray(offset, offset + length));
        },
      ),
    );
  });

  it('reads a chunk once, however many holes are in it', async () => {
    const source = new FakeChunks();
    const holes = Array.from({ length: 9 }, (_, i) => [10 * i + 5, 5] as const);
    const reader = new FileReader(source, { size: 95, holes, content: source.content([Buffer.alloc(50, 7)]) });
    await bytesOf(reader.read());
    expect(source.reads).toEqual([CHUNK_TYPE.data]);
  });

  it('gives a hole of a tebibyte without holding it', async () => {
    const size = 2 ** 40;
    const source = new FakeChunks();
    const reader = new FileReader(source, { size, holes: [[0, size]], content: source.content([]) });
    expect(await bytesOf(reader.read({ offset: size - 10, length: 100 }))).toEqual(Buffer.alloc(10));
    for await (const piece of reader.read()) {
      expect(piece.length).toBeLessThanOrEqual(1024 * 1024);
      break;
    }
  });

  it('opens two chunk lists to read anywhere in a file of more than a tebibyte', async () => {
    const lists = new FakeChunks();
    const builder = new ContentBuilder((type, plaintext) => lists.store(type, plaintext));
    const chunk = 8 * 1024 * 1024;
    const count = 140_000;
    for (let i = 0; i < count; i++) builder.add(nodeSuite.sha256(Buffer.from(`chunk ${i}`)), chunk);
    const content = builder.finish();
    const opened: string[] = [];
    const source: ChunkSource = {
      chunk: (type, id) => {
        if (type !== CHUNK_TYPE.data) return lists.chunk(type, id);
        opened.push(toHex(id));
        return Promise.resolve(new Uint8Array(chunk));
      },
    };
    const reader = new FileReader(source, { size: count * chunk, holes: null, content });
    expect(reader.size).toBeGreaterThan(2 ** 40);
    for (const i of [99_999, 1, count - 1]) {
      lists.reads.length = 0;
      opened.length = 0;
      const range = { offset: i * chunk + 1_000_000, length: 4096 };
      expect(await bytesOf(reader.read(range))).toHaveLength(4096);
      expect(opened).toEqual([toHex(nodeSuite.sha256(Buffer.from(`chunk ${i}`)))]);
      expect(lists.reads.length).toBeLessThanOrEqual(2);
      await bytesOf(reader.read(range));
      expect(lists.reads.length).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    ['a chunk is shorter than its record says', (bytes: Uint8Array) => bytes.subarray(1)],
    ['a chunk is longer', (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.of(1)])],
  ])('rejects when %s', async (_, change) => {
    const source = new FakeChunks();
    const reader = new FileReader(source, {
      size: 9,
      holes: null,
      content: source.content([Buffer.from('some data')]),
    });
    for (const [id, bytes] of source.chunks) source.chunks.set(id, change(bytes));
    await expect(bytesOf(reader.read())).rejects.toSatisfy((error) => isCairnError(error, 'CORRUPT'));
  });

  it.each([
    { offset: -1, length: 1 },
    { offset: 0, length: -1 },
    { offset: 0.5, length: 1 },
    { offset: 0, length: NaN },
  ])('rejects the range %j', async (range) => {
    const source = new FakeChunks();
    const reader = new FileReader(source, { size: 0, holes: null, content: source.content([]) });
    await expect(bytesOf(reader.read(range))).rejects.toSatisfy((error) => isCairnError(error, 'USAGE'));
  });
});
