import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, displayName, fromUtf8, fsPath, isUtf8, toUtf8 } from './byte-path.ts';

const byteString = fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

/** What `displayName` promises to a parser: the bytes can be had back. */
function parseDisplayName(shown: string): string {
  return fromUtf8(shown).replace(/\\(\\|x([0-9a-f]{2}))/g, (_, backslash: string, hex?: string) =>
    hex === undefined ? backslash : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

describe('byte strings', () => {
  it('keeps ASCII as the same string and gives bytes otherwise', () => {
    expect(fsPath('/etc/passwd')).toBe('/etc/passwd');
    expect(fsPath('/a/\xff')).toEqual(Buffer.from([0x2f, 0x61, 0x2f, 0xff]));
    expect(fsPath(fromUtf8('é'))).toEqual(Buffer.from([0xc3, 0xa9]));
  });

  it('refuses text that was never encoded', () => {
    expect(() => fsPath('/home/日本')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
    expect(() => bytesOf('\u0100')).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
  });

  it('round-trips text, lone surrogates apart', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const bytes = fromUtf8(text);
        expect(toUtf8(bytes)).toBe(text);
        expect(isUtf8(bytes)).toBe(true);
        expect(bytesOf(bytes)).toEqual(Buffer.from(text, 'utf8'));
      }),
    );
  });

  it('compares in byte order', () => {
    fc.assert(
      fc.property(byteString, byteString, (a, b) => {
        const order = Buffer.compare(bytesOf(a), bytesOf(b));
        expect(a < b ? -1 : a > b ? 1 : 0).toBe(order);
      }),
    );
  });

  it.each([
    ['overlong slash', '\xc0\xaf', false],
    ['surrogate', '\xed\xa0\x80', false],
    ['beyond U+10FFFF', '\xf4\x90\x80\x80', false],
    ['cut short', 'a\xe2\x82', false],
    ['euro sign', '\xe2\x82\xac', true],
    ['ASCII', 'abc', true],
  ])('knows UTF-8: %s', (_, bytes, valid) => {
    expect(isUtf8(bytes)).toBe(valid);
    expect(toUtf8(bytes).includes('\ufffd')).toBe(!valid);
  });
});

describe('displayName', () => {
  it.each([
    ['plain name.txt', 'plain name.txt'],
    [fromUtf8('Grüße 日本 🎉'), 'Grüße 日本 🎉'],
    ['a\nb\x1b[31m\x7f\0', 'a\\x0ab\\x1b[31m\\x7f\\x00'],
    ['back\\slash', 'back\\\\slash'],
    ['\xff\xfe bad', '\\xff\\xfe bad'],
    ['cut \xe2\x82', 'cut \\xe2\\x82'],
    ['\xc0\xaf', '\\xc0\\xaf'],
    ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
    ['\xf4\x90\x80\x80', '\\xf4\\x90\\x80\\x80'],
    [fromUtf8('C1 \u0085\u009b'), 'C1 \\xc2\\x85\\xc2\\x9b'],
    [fromUtf8('cod\u202egpj.exe'), 'cod\\xe2\\x80\\xaegpj.exe'],
    [
      fromUtf8('\u2066\u2069\u200e\u200f\u061c'),
      '\\xe2\\x81\\xa6\\xe2\\x81\\xa9\\xe2\\x80\\x8e\\xe2\\x80\\x8f\\xd8\\x9c',
    ],
    [fromUtf8('line\u2028paragraph\u2029'), 'line\\xe2\\x80\\xa8paragraph\\xe2\\x80\\xa9'],
  ])('shows %j', (bytes, shown) => {
    expect(displayName(bytes)).toBe(shown);
  });

  it('loses nothing and prints nothing that acts on a terminal', () => {
    fc.assert(
      fc.property(byteString, (bytes) => {
        const shown = displayName(bytes);
        expect(parseDisplayName(shown)).toBe(bytes);
        expect(shown).not.toMatch(/\p{Cc}|\p{Bidi_Control}|\ufffd/u);
      }),
      { numRuns: 2000 },
    );
  });
});
