/** A collection that an archive of mongodump names in its prelude. */
export interface MongoCollection {
  readonly database: string;
  readonly collection: string;
}

/** Bytes of a prelude: 100,000 collections with their indexes. */
const PRELUDE_BYTES = 128 * 1024 * 1024;

/** Bytes of the magic number, and the number that ends the prelude in the place of a document's length. */
const MAGIC_BYTES = 4;
const TERMINATOR = -1;

/** Bytes of an empty BSON document: its length and a zero. */
const SMALLEST_DOCUMENT = 5;

/** Bytes of a BSON document (bsonspec.org and the server's limit of 16 MiB, with its own overhead). */
const DOCUMENT_BYTES = 16 * 1024 * 1024 + 16 * 1024;

/**
 * The collections that an archive of mongodump holds, from its prelude; nothing behind that is read. The format: a magic number,
 * a header document, a document for each collection, and a terminator (mongo-tools, common/archive/prelude.go).
 * Fails when it is no such archive, or when it breaks off.
 */
export async function collectionsIn(archive: AsyncIterable<Uint8Array>): Promise<readonly MongoCollection[]> {
  let rest = Buffer.alloc(0);
  let header = true;
  let length = 0;
  const collections: MongoCollection[] = [];
  let magic = true;
  for await (const piece of archive) {
    length += piece.length;
    rest = Buffer.concat([rest, piece]);
    if (magic) {
      if (rest.length < MAGIC_BYTES) continue;
      rest = rest.subarray(MAGIC_BYTES);
      magic = false;
    }
    while (rest.length >= 4) {
      const size = rest.readInt32LE(0);
      if (size === TERMINATOR) return collections;
      if (size < SMALLEST_DOCUMENT || size > DOCUMENT_BYTES) throw new Error('it is no archive of mongodump');
      if (rest.length < size) break;
      const texts = textsOf(rest.subarray(0, size));
      const [database, collection] = [texts.get('db'), texts.get('collection')];
      if (!header && database !== undefined && collection !== undefined) collections.push({ database, collection });
      header = false;
      rest = rest.subarray(size);
    }
    if (length > PRELUDE_BYTES) break;
  }
  throw new Error('the archive of mongodump is cut off');
}

/** Bytes of values of fixed length by BSON type: double, boolean, time, null, int32, timestamp, int64. */
const FIXED: Readonly<Record<number, number>> = { 0x01: 8, 0x08: 1, 0x09: 8, 0x0a: 0, 0x10: 4, 0x11: 8, 0x12: 8 };
const TEXT = 0x02;

/** The texts of a BSON document, up to the first value of a kind that a prelude has not. */
function textsOf(document: Buffer): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  let at = 4;
  while (at < document.length - 1) {
    const type = document[at] ?? 0;
    const end = document.indexOf(0, at + 1);
    if (end < 0) break;
    const name = document.toString('utf8', at + 1, end);
    at = end + 1;
    if (type === TEXT && at + 4 <= document.length) {
      const length = document.readInt32LE(at);
      texts.set(name, document.toString('utf8', at + 4, at + 3 + length));
      at += 4 + length;
    } else {
      const length = FIXED[type];
      if (length === undefined) break;
      at += length;
    }
  }
  return texts;
}
