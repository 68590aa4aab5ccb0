import { CairnError } from '../errors.ts';

/** One object of a bucket. */
export interface S3Object {
  readonly path: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, UTC. */
  readonly modifiedMs: number;
}

export interface S3Page {
  readonly objects: readonly S3Object[];
  /** Where the next page begins; undefined when this is the last. */
  readonly next: string | undefined;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * One page of ListObjectsV2 that was asked for with `encoding-type=url`. Takes the few elements that it knows out of the
 * document: no document types, no entities but the five of XML and character numbers. Rejects with `STORE_FAILED`.
 */
export function readS3Page(body: Uint8Array, what: string): S3Page {
  const text = Buffer.from(body).toString('utf8');
  if (!/<ListBucketResult[\s>]/.test(text) || !text.trimEnd().endsWith('</ListBucketResult>')) {
    throw notAListing(what, 'it is none');
  }
  const encoded = xmlText(text, 'EncodingType') === 'url';
  const objects = [...text.matchAll(/<Contents>([^]*?)<\/Contents>/g)].map(([, inner = '']) => {
    const key = xmlText(inner, 'Key');
    const sizeBytes = Number(xmlText(inner, 'Size') ?? Number.NaN);
    const modifiedMs = Date.parse(xmlText(inner, 'LastModified') ?? '');
    if (key === undefined || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || Number.isNaN(modifiedMs)) {
      throw notAListing(what, 'an object has no key, size or time');
    }
    return { path: encoded ? decoded(key, what) : key, sizeBytes, modifiedMs };
  });
  const truncated = xmlText(text, 'IsTruncated') === 'true';
  const next = xmlText(text, 'NextContinuationToken');
  if (truncated && next === undefined) throw notAListing(what, 'there are more pages, but it does not say where');
  return { objects, next: truncated ? next : undefined };
}

/** The text of the first element of that name; undefined when there is none, or it holds elements. */
export function xmlText(text: string, name: string): string | undefined {
  const inner = new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  return inner?.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));/gi, (whole, hex, decimal, entity) => {
    if (entity !== undefined) return ENTITIES[entity] ?? whole;
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

function decoded(key: string, what: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw notAListing(what, 'a key is not encoded as it says');
  }
}

function notAListing(what: string, how: string): CairnError {
  return new CairnError('STORE_FAILED', `cannot ${what}: the answer is no listing: ${how}`, {
    hint: 'Check that the address is that of an S3 service.',
  });
}
