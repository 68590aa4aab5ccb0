import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase32, encodeBase32, inGroups, normaliseBase32, strangerIn } from './base32.ts';

describe('base32', () => {
  it('writes the vectors of RFC 4648 section 10', () => {
    const vectors = {
      '': '',
      f: 'MY',
      fo: 'MZXQ',
      foo: 'MZXW6',
      foob: 'MZXW6YQ',
      fooba: 'MZXW6YTB',
      foobar: 'MZXW6YTBOI',
    };
    for (const [text, encoded] of Object.entries(vectors)) {
      expect(encodeBase32(Buffer.from(text))).toBe(encoded);
      expect(decodeBase32(encoded)?.toString()).toBe(text);
    }
  });

  it('undoes itself', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(decodeBase32(encodeBase32(bytes))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('has one spelling for one value', () => {
    // MY is 0x66; MZ would be the same with an unused bit set. A single character holds no byte.
    for (const text of ['MZ', 'M', 'MZX', 'MZXW6Y', 'my', 'M=', 'M1', 'MÀ'])
      expect(decodeBase32(text), text).toBeUndefined();
  });

  it('reads what people type', () => {
    expect(normaliseBase32(' ab c\n-d\t–e‑0 1 8\u00a0')).toBe('ABCDEOIB');
    expect(strangerIn('ABC9D')).toBe('9');
    expect(strangerIn('AB€')).toBe('€');
    expect(strangerIn('ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')).toBeUndefined();
  });

  it('groups', () => {
    expect(inGroups('ABCDEFG', 3)).toBe('ABC-DEF-G');
    expect(inGroups('', 3)).toBe('');
  });
});
