import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { nodeSuite as suite } from '../crypto/node-suite.ts';
import { invariant } from '../errors.ts';
import { toHex } from '../ids.ts';
import { LIMITS } from '../limits.ts';
import { pseudoRandomBytes } from '../testing/pseudo-random.ts';
import { readOrRefuse, refusal } from '../testing/refusals.ts';
import { mutationsOf } from '../testing/text-mutations.ts';
import { leafRecords, type ChunkSource } from './chunk-source.ts';
import { ContentBuilder, contentRecords, decodeChunkList, EMPTY_CONTENT, type ContentReference } from './content.ts';

/** Chunk lists in memory, under an id that does not depend on keys. */
class Lists implements ChunkSource {
  readonly stored = new Map<string, Buffer>();

  store(type: number, plaintext: Uint8Array): Uint8Array {
    invariant(type === 3, 'only lists are stored');
    const id = suite.sha256(plaintext);
    this.stored.set(toHex(id), Buffer.from(plaintext));
    return id;
  }

  chunk(type: number, id: Uint8Array): Promise<Uint8Array> {
    invariant(type === 3, 'only lists are read');
    const found = this.stored.get(toHex(id));
    return found === undefined ? Promise.reject(new Error('a list that was not stored')) : Promise.resolve(found);
  }
}

function recordsOf(chunks: readonly Uint8Array[], length: (i: number) => number): Buffer {
  return Buffer.concat(
    chunks.map((id, i) => {
      const bytes = Buffer.alloc(40);
      bytes.set(id);
      bytes.writeBigUInt64LE(BigInt(length(i)), 32);
      return bytes;
    }),
  );
}

/** The rule of the format page (section 4.8), over whole levels at once. */
function byTheBook(records: Buffer, lists: Lists): { readonly level: number; readonly records: Buffer } {
  let level = 0;
  let current = records;
  while (current.length > 40 * 64) {
    const above: Buffer[] = [];
    let start = 0;
    for (let at = 0; at < current.length; at += 40) {
      const isBoundary = current[at] === 0 && (current[at + 1] as number) < 16;
      const isFull = (at - start) / 40 + 1 === 16_384;
      const isLast = at + 40 === current.length;
      if (!isBoundary && !isFull && !isLast) continue;
      const list = current.subarray(start, at + 40);
      start = at + 40;
      const length = contentRecords(list).reduce((sum, item) => sum + item.length, 0);
      above.push(recordsOf([lists.store(3, list)], () => length));
    }
    current = Buffer.concat(above);
    level += 1;
  }
  return { level, records: current };
}

function build(records: Buffer, lists: Lists): ContentReference {
  const builder = new ContentBuilder((type, plaintext) => lists.store(type, plaintext));
  builder.addRecords(records);
  return builder.finish();
}

async function leaves(lists: Lists, content: ContentReference): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { id, length } of leafRecords(lists, content)) parts.push(recordsOf([id], () => length));
  return Buffer.concat(parts);
}

/** Ids of which about one in `oneIn` ends a list. */
function ids(seed: string, count: number, oneIn: number): Buffer[] {
  const bytes = pseudoRandomBytes(seed, 32 * count);
  return Array.from({ length: count }, (_, i) => {
    const id = bytes.subarray(32 * i, 32 * i + 32);
    const byte = id[1] as number;
    if (id.readUInt32LE(8) % oneIn === 0) id.set([0, byte & 15]);
    // Eleven zero bits are not enough; half of these would be.
    else if (id.readUInt32LE(12) % 3 === 0) id.set([0, 16 + (byte & 15)]);
    else if (id[0] === 0) id[0] = 1;
    return id;
  });
}

describe('a content reference', () => {
  it('of nothing has no records', () => {
    expect(build(Buffer.alloc(0), new Lists())).toEqual(EMPTY_CONTENT);
  });

  it('is what the format page says, and gives back every record in order', async () => {
    const cases = fc.tuple(
      fc.string(),
      fc.constantFrom(0, 1, 63, 64, 65, 66, 200, 1000, 5000),
      fc.constantFrom(1, 2, 5, 40, 4096),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([seed, count, oneIn]) => {
        const lists = new Lists();
        const records = recordsOf(ids(seed, count, oneIn), (i) => (i % 9) + 1);
        const content = build(records, lists);
        const expected = byTheBook(records, new Lists());
        expect({ level: content.level, records: content.records }).toEqual(expected);
        expect(content.records.length).toBeLessThanOrEqual(40 * LIMITS.directReferences);
        expect((await leaves(lists, content)).equals(records)).toBe(true);
        expect(content.length).toBe(contentRecords(records).reduce((sum, item) => sum + item.length, 0));
        for (const list of lists.stored.values()) expect(list.length).toBeLessThanOrEqual(40 * LIMITS.chunkListRecords);
      }),
      { numRuns: 60 },
    );
  });

  it('ends lists by number where no id does', async () => {
    const lists = new Lists();
    const records = recordsOf(ids('no boundary', 40_000, 2 ** 31), () => LIMITS.chunkBytes);
    const content = build(records, lists);
    expect([...lists.stored.values()].map((list) => list.length / 40).sort((a, b) => a - b)).toEqual([
      7232, 16_384, 16_384,
    ]);
    expect([content.level, content.records.length, content.length]).toEqual([1, 120, 40_000 * LIMITS.chunkBytes]);
    expect((await leaves(lists, content)).equals(records)).toBe(true);
  });

  it('changes few lists when a record is inserted', () => {
    const before = new Lists();
    const list = ids('insertion', 20_000, 100);
    build(
      recordsOf(list, () => 1),
      before,
    );
    const after = new Lists();
    build(
      recordsOf([...list.slice(0, 5000), pseudoRandomBytes('inserted', 32), ...list.slice(5000)], () => 1),
      after,
    );
    const changed = [...after.stored.keys()].filter((id) => !before.stored.has(id));
    expect(before.stored.size).toBeGreaterThan(150);
    // One list of each level, or two when the inserted record ends one.
    expect(changed.length).toBeLessThanOrEqual(4);
  });

  it('is refused while it is built when it would have too many levels', () => {
    const lists = new Lists();
    const builder = new ContentBuilder((type, plaintext) => {
      lists.store(type, plaintext);
      return Buffer.alloc(32);
    });
    // Every id ends a list, so each level has as many records as the one below.
    const add = (): void => {
      for (let i = 0; i < 100; i++) builder.add(Buffer.alloc(32), 1);
    };
    expect(refusal(add)).toBe('LIMIT_EXCEEDED');
  });
});

describe('a chunk list', () => {
  const list = recordsOf(ids('list', 3, 5), (i) => i + 1);

  it('gives its records', () => {
    expect(decodeChunkList(list, 6, 0).map(({ length }) => length)).toEqual([1, 2, 3]);
    const most = recordsOf(ids('most', LIMITS.chunkListRecords, 50), () => 1);
    expect(decodeChunkList(most, LIMITS.chunkListRecords, 0).length).toBe(LIMITS.chunkListRecords);
    const long = recordsOf(ids('long', 1, 5), () => Number.MAX_SAFE_INTEGER);
    expect(decodeChunkList(long, Number.MAX_SAFE_INTEGER, 1).length).toBe(1);
  });

  it('is refused when it cannot be what refers to it', () => {
    const big = recordsOf(ids('big', 1, 5), () => LIMITS.chunkBytes + 1);
    const huge = Buffer.alloc(40, 0xff);
    const bad: readonly (readonly [string, Buffer, number, number])[] = [
      ['empty', Buffer.alloc(0), 0, 0],
      ['cut', list.subarray(0, -1), 6, 0],
      ['of another sum', list, 7, 0],
      ['with a record of nothing', Buffer.concat([list, Buffer.alloc(40)]), 6, 0],
      ['too many', recordsOf(ids('x', LIMITS.chunkListRecords + 1, 50), () => 1), LIMITS.chunkListRecords + 1, 0],
      ['of a chunk that is too long', big, LIMITS.chunkBytes + 1, 0],
      ['beyond all numbers', huge, Number(2n ** 64n - 1n), 1],
      ['with a sum beyond all numbers', Buffer.concat([huge, huge]), 2 * Number(2n ** 64n - 1n), 1],
    ];
    for (const [what, bytes, length, level] of bad) {
      expect(
        refusal(() => decodeChunkList(bytes, length, level)),
        what,
      ).toBe('CORRUPT');
    }
    expect(decodeChunkList(big, LIMITS.chunkBytes + 1, 1).length).toBe(1);
  });

  it('after any change is refused, or is another list of the same sum', () => {
    for (const { what, bytes } of mutationsOf(list)) {
      const answer = readOrRefuse(() => decodeChunkList(bytes, 6, 0));
      if ('refused' in answer) continue;
      expect(
        answer.value.reduce((sum, { length }) => sum + length, 0),
        what,
      ).toBe(6);
    }
  });
});
