import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fromUtf8 } from '../host/byte-path.ts';
import { extendedValue, partOf } from './http-fields.ts';

describe('parts of a file', () => {
  it('are as RFC 9110 says', () => {
    const cases: [string | undefined, number, ReturnType<typeof partOf>][] = [
      [undefined, 10, undefined],
      ['bytes=0-4', 10, { offset: 0, length: 5 }],
      ['bytes=5-', 10, { offset: 5, length: 5 }],
      ['bytes=-3', 10, { offset: 7, length: 3 }],
      ['bytes=-30', 10, { offset: 0, length: 10 }],
      ['bytes=8-99', 10, { offset: 8, length: 2 }],
      ['bytes=10-', 10, 'none'],
      ['bytes=-0', 10, 'none'],
      ['bytes=4-2', 10, undefined],
      ['bytes=0-1,3-4', 10, undefined],
      ['lines=0-1', 10, undefined],
      ['bytes=-', 10, undefined],
    ];
    for (const [header, size, part] of cases) expect([header, partOf(header, size)]).toEqual([header, part]);
  });
});

describe('a name in a header', () => {
  it('is written as RFC 8187 says', () => {
    // The example of section 3.2.3: "£ and € rates".
    expect(extendedValue(fromUtf8('£ and € rates'))).toBe("UTF-8''%C2%A3%20and%20%E2%82%AC%20rates");
    expect(extendedValue('caf\xe9')).toBe("UTF-8''caf%5Cxe9");
    expect(extendedValue('a"b\r\nSet-Cookie: x')).toBe("UTF-8''a%22b%0D%0ASet-Cookie%3A%20x");
  });

  it('has nothing that could end it', () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    fc.assert(
      fc.property(name, (bytes) => {
        expect(extendedValue(bytes)).toMatch(/^UTF-8''[\w.!~%-]+$/);
      }),
    );
  });
});
