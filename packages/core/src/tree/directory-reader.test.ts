import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { LIMITS } from '../limits.ts';
import { readOrRefuse, readOrRefuseLater } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import type { ChunkSource } from './chunk-source.ts';
import { EMPTY_CONTENT, type ContentReference } from './content.ts';
import { DirectoryReader, readDirectory } from './directory-reader.ts';
import { encodedKind } from './encoded-entry.ts';
import { EntryEncoder, type EntryKind, type TreeEntry } from './entry.ts';
import { findChild } from './lookup.ts';

const encoder = new EntryEncoder();
const BLANK: TreeEntry = {
  name: 'n',
  kind: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtimeNs: 5n,
  ctimeNs: 5n,
  size: 0,
  inode: 7n,
  user: null,
  group: null,
  link: null,
  device: null,
  target: null,
  xattrs: null,
  flags: null,
  holes: null,
  content: EMPTY_CONTENT,
  state: 0,
};

function framed(bytes: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
const streamOf = (entries: readonly TreeEntry[]): Buffer =>
  Buffer.concat(entries.map((entry) => framed(encoder.encode(entry))));

/** A directory whose stream was cut into these chunks. */
function directory(
  parts: readonly Buffer[],
  lengths = parts.map((part) => part.length),
): [ChunkSource, ContentReference] {
  const records = Buffer.alloc(40 * parts.length);
  parts.forEach((_, i) => {
    records.writeUInt32LE(i, 40 * i);
    records.writeBigUInt64LE(BigInt(lengths[i] ?? 0), 40 * i + 32);
  });
  const source: ChunkSource = {
    chunk: (type, id) => {
      expect(type).toBe(2);
      return Promise.resolve(parts[Buffer.from(id).readUInt32LE()] as Buffer);
    },
  };
  return [source, { level: 0, records, length: lengths.reduce((sum, length) => sum + length, 0) }];
}

async function read(...from: [ChunkSource, ContentReference]): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const entry of readDirectory(...from)) entries.push(entry);
  return entries;
}

const name = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll(/[/.\0]/g, 'x'),
);
const entries = fc
  .uniqueArray(name, { maxLength: 40 })
  .map((names) => names.sort().map((own, i): TreeEntry => ({ ...BLANK, name: own, inode: BigInt(i) })));

describe('a directory', () => {
  it('gives back its entries, wherever its stream was cut', async () => {
    await fc.assert(
      fc.asyncProperty(entries, fc.array(fc.nat(), { maxLength: 30 }), fc.boolean(), async (list, cuts, everywhere) => {
        const stream = streamOf(list);
        const places = everywhere ? Array.from(stream.keys()) : cuts.map((cut) => cut % (stream.length + 1));
        const ends = [...new Set([...places, stream.length])].sort((a, b) => a - b).filter((end) => end > 0);
        const parts = ends.map((end, i) => stream.subarray(i === 0 ? 0 : ends[i - 1], end));
        const [source, content] = directory(parts);
        expect(await read(source, content)).toEqual(list);
        for (const entry of list) expect(await findChild(source, content, entry.name)).toEqual(entry);
        expect(await findChild(source, content, '\xff'.repeat(13))).toBeUndefined();
        expect(await findChild(source, content, '\x01')).toEqual(list.find((entry) => entry.name === '\x01'));
      }),
      { numRuns: 60 },
    );
  });

  it('gives kinds without decoding the rest', async () => {
    for (const kind of [1, 2, 3, 4, 5, 6, 7] as EntryKind[]) {
      const rest = { content: kind <= 2 ? EMPTY_CONTENT : null, target: kind === 3 ? 't' : null };
      const device = kind === 5 || kind === 6 ? ([1, 2] as const) : null;
      const reader = new DirectoryReader(
        ...directory([streamOf([{ ...BLANK, ...rest, device, kind, name: 'a name' }])]),
      );
      expect(reader.next()).toBe('more');
      await reader.load();
      const entry = reader.next();
      if (entry === undefined || entry === 'more') throw new Error('there is an entry');
      expect(encodedKind(entry)).toBe(kind);
      const wrong = Buffer.from(entry.bytes);
      wrong[5 + entry.name.length] = 8;
      expect(readOrRefuse(() => encodedKind({ ...entry, bytes: wrong }))).toEqual({ refused: 'CORRUPT' });
    }
  });

  it('is refused when names repeat or descend, when it ends inside an entry, and when a chunk is of another length', async () => {
    const [a, b] = [streamOf([{ ...BLANK, name: 'a' }]), streamOf([{ ...BLANK, name: 'b' }])];
    const tooLong = Buffer.alloc(4);
    tooLong.writeUInt32LE(LIMITS.treeEntryBytes + 1);
    const bad: readonly (readonly [string, [ChunkSource, ContentReference]])[] = [
      ['descending', directory([b, a])],
      ['repeated', directory([a, a])],
      ['repeated in one chunk', directory([Buffer.concat([a, a])])],
      ['cut', directory([a.subarray(0, -1)])],
      ['cut in a length', directory([a, Buffer.alloc(3)])],
      ['an empty entry', directory([a, Buffer.alloc(4)])],
      ['an entry that is too long', directory([tooLong])],
      ['an entry that claims everything', directory([Buffer.alloc(4, 0xff)])],
      ['a chunk that is longer than its reference', directory([a], [a.length - 1])],
      ['a chunk that is shorter than its reference', directory([a], [a.length + 1])],
    ];
    expect((await read(...directory([a, b]))).length).toBe(2);
    for (const [what, from] of bad) {
      expect(await readOrRefuseLater(() => read(...from)), what).toEqual({ refused: 'CORRUPT' });
    }
  });

  it('after any change is refused, or canonical', async () => {
    const stream = streamOf([
      { ...BLANK, name: 'a', xattrs: [['user.x', Buffer.from('1')]] },
      { ...BLANK, name: 'b', kind: 3, target: 't', content: null },
    ]);
    for (const { what, bytes } of mutationsOf(stream)) {
      const answer = await readOrRefuseLater(() => read(...directory([bytes])));
      if ('value' in answer) expect(streamOf(answer.value).equals(bytes), what).toBe(true);
    }
  });

  it('passes on that a chunk cannot be had', async () => {
    const [, content] = directory([streamOf([BLANK])]);
    const gone: ChunkSource = { chunk: () => Promise.reject(new Error('gone')) };
    await expect(read(gone, content)).rejects.toThrow('gone');
    await expect(findChild(gone, content, 'n')).rejects.toThrow('gone');
    await expect(read(gone, EMPTY_CONTENT)).resolves.toEqual([]);
  });

  it('of nothing but noise answers with a typed error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 4 }), async (noise) => {
        const answer = await readOrRefuseLater(() => read(...directory(noise.map((part) => Buffer.from(part)))));
        expect('value' in answer ? noise.length : answer.refused).toBe('value' in answer ? 0 : 'CORRUPT');
      }),
    );
  });
});
