import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { ExaminedPath, bytesOfText, textOfBytes } from './path-text.ts';

const byteStrings = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

describe('textOfBytes', () => {
  it('decodes UTF-8 and keeps other bytes apart', () => {
    expect(textOfBytes('a\xc3\xa9\xf0\x9f\x98\x80')).toBe('aé😀');
    expect(textOfBytes('\xff\xc3\xa9\xc3')).toBe('\udcffé\udcc3');
    expect(textOfBytes('\xf0\x9f\x98')).toBe('\udcf0\udc9f\udc98');
    expect(textOfBytes('\xed\xa0\x80')).toBe('\udced\udca0\udc80'); // A surrogate is no UTF-8.
  });

  it('is undone by bytesOfText', () => {
    fc.assert(
      fc.property(byteStrings, (bytes) => {
        expect(bytesOfText(textOfBytes(bytes))).toBe(bytes);
      }),
    );
  });

  it('agrees with Node on text that is well-formed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = Buffer.from(text, 'utf8').toString('latin1');
        expect(textOfBytes(bytes)).toBe(text);
        expect(bytesOfText(text)).toBe(bytes);
      }),
    );
  });
});

describe('ExaminedPath', () => {
  it('shows the path without its slash and the name', () => {
    const path = new ExaminedPath('/home/\xc3\xa9.\xff');
    expect([path.name, path.text, path.nameText]).toEqual(['\xc3\xa9.\xff', 'home/é.\udcff', 'é.\udcff']);
    expect(new ExaminedPath('/')).toMatchObject({ name: '', text: '', nameText: '' });
  });
});
