import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { collectionsIn } from './mongo-archive.ts';

/** A BSON document of texts and numbers, by the specification (bsonspec.org). */
function bson(fields: Readonly<Record<string, string | number>>): Buffer {
  const elements = Object.entries(fields).map(([name, value]) => {
    const key = Buffer.from(`${name}\0`);
    if (typeof value === 'number') {
      const number = Buffer.alloc(4);
      number.writeInt32LE(value);
      return Buffer.concat([Buffer.from([0x10]), key, number]);
    }
    const text = Buffer.from(`${value}\0`);
    const length = Buffer.alloc(4);
    length.writeInt32LE(text.length);
    return Buffer.concat([Buffer.from([0x02]), key, length, text]);
  });
  const body = Buffer.concat([...elements, Buffer.from([0])]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([length, body]);
}

const MAGIC = Buffer.from('6de29981', 'hex');
const END = Buffer.alloc(4, 255);
const HEADER = bson({ concurrent_collections: 4, version: '0.1', server_version: '7.0', tool_version: '100.9' });

async function* inPieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

describe('the prelude of an archive of mongodump', () => {
  const archive = Buffer.concat([
    MAGIC,
    HEADER,
    bson({ db: 'shop', collection: 'item', metadata: '{}', size: 3, type: 'collection' }),
    bson({ db: 'ä', collection: 'x.y', metadata: '{"indexes":[]}', size: 0, type: '' }),
    END,
    Buffer.alloc(50_000, 7),
  ]);

  it('names all collections, however it is read', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 400 }), async (length) => {
        expect(await collectionsIn(inPieces(archive, length))).toEqual([
          { database: 'shop', collection: 'item' },
          { database: 'ä', collection: 'x.y' },
        ]);
      }),
      { numRuns: 40 },
    );
  });

  it('is refused when it is cut off or is something else', async () => {
    const whole = archive.indexOf(END) + 4;
    for (let length = 0; length < whole; length++) {
      await expect(collectionsIn(inPieces(archive.subarray(0, length), 100))).rejects.toThrow(/cut off/);
    }
    await expect(collectionsIn(inPieces(Buffer.alloc(100), 100))).rejects.toThrow(/no archive/);
  });
});
