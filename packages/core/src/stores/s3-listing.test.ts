import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isCairnError } from '../errors.ts';
import { readS3Page, xmlText } from './s3-listing.ts';

/** The sample answer of the Amazon S3 API Reference, ListObjectsV2, with a second object and a next page. */
const PAGE = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>bucket</Name>
    <Prefix/>
    <KeyCount>2</KeyCount>
    <MaxKeys>1000</MaxKeys>
    <EncodingType>url</EncodingType>
    <IsTruncated>true</IsTruncated>
    <NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
    <Contents>
        <Key>my-image.jpg</Key>
        <LastModified>2009-10-12T17:50:30.000Z</LastModified>
        <ETag>"fba9dede5f27731c9771645a39863328"</ETag>
        <Size>434234</Size>
        <StorageClass>STANDARD</StorageClass>
    </Contents>
    <Contents>
        <Key>a%20b%2Fc+d</Key>
        <LastModified>2009-10-12T17:50:31Z</LastModified>
        <Size>0</Size>
        <Owner><ID>x</ID></Owner>
    </Contents>
</ListBucketResult>
`;

const read = (text: string) => readS3Page(Buffer.from(text), 'list');

describe('readS3Page', () => {
  it('reads the sample of the reference', () => {
    expect(read(PAGE)).toEqual({
      objects: [
        { path: 'my-image.jpg', sizeBytes: 434_234, modifiedMs: Date.UTC(2009, 9, 12, 17, 50, 30) },
        { path: 'a b/c d', sizeBytes: 0, modifiedMs: Date.UTC(2009, 9, 12, 17, 50, 31) },
      ],
      next: '1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=',
    });
  });

  it('knows the last page', () => {
    expect(read(PAGE.replace('true</IsTruncated>', 'false</IsTruncated>')).next).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['a page for people', '<html><body>hello</body></html>'],
    ['a page that is cut off', PAGE.slice(0, PAGE.indexOf('<Owner>'))],
    ['an object without a size', PAGE.replace('<Size>434234</Size>', '')],
    ['a negative size', PAGE.replace('434234', '-1')],
    ['a time that is none', PAGE.replace('2009-10-12T17:50:30.000Z', 'yesterday')],
    ['more pages, nobody knows where', PAGE.replace(/<Next.*Token>/, '')],
    ['a key that is badly encoded', PAGE.replace('a%20b', 'a%2')],
  ])('refuses %s', (_what, text) => {
    expect(() => read(text)).toThrow(expect.toSatisfy((error) => isCairnError(error, 'STORE_FAILED')));
  });

  it('reads a page with any damage, or refuses it', () => {
    const place = fc.integer({ min: 0, max: PAGE.length });
    fc.assert(
      fc.property(place, place, fc.string({ maxLength: 10 }), (from, to, put) => {
        try {
          read(PAGE.slice(0, Math.min(from, to)) + put + PAGE.slice(Math.max(from, to)));
        } catch (error) {
          expect(isCairnError(error, 'STORE_FAILED')).toBe(true);
        }
      }),
    );
  });
});

describe('xmlText', () => {
  it('decodes what XML must encode, and nothing else', () => {
    expect(xmlText('<Key>a&amp;b &lt;&#x41;&#66;&gt; &nbsp; &#x110000;</Key>', 'Key')).toBe(
      'a&b <AB> &nbsp; &#x110000;',
    );
    expect(xmlText('<Key/>', 'Key')).toBeUndefined();
  });
});
