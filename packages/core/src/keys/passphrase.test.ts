import { describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import { seededRandom } from '../testing/sample-keys.ts';
import { generatePassphrase, passphraseBytes } from './passphrase.ts';

describe('passphrase', () => {
  it('is the same bytes however the keyboard composes it, and is not trimmed', () => {
    expect(passphraseBytes('e\u0301te\u0301 ')).toEqual(Buffer.from('\u00e9t\u00e9 '));
    expect(passphraseBytes('\u00e9t\u00e9 ')).toEqual(Buffer.from('\u00e9t\u00e9 '));
    // Normal form C, not KC: these stay apart.
    expect(passphraseBytes('ﬁ')).not.toEqual(passphraseBytes('fi'));
  });

  it('is refused when empty or broken', () => {
    for (const text of ['', 'a\ud800b', '\udc00']) {
      expect(() => passphraseBytes(text)).toThrow(expect.toSatisfy((error) => isCairnError(error, 'USAGE')));
    }
  });

  it('is generated with 100 bits', () => {
    const random = seededRandom('passphrases');
    const many = Array.from({ length: 200 }, () => generatePassphrase(random));
    expect(new Set(many).size).toBe(200);
    for (const passphrase of many) expect(passphrase).toMatch(/^[a-z2-7]{5}(-[a-z2-7]{5}){3}$/);
    for (let at = 0; at < 23; at++) {
      const characters = new Set(many.map((passphrase) => passphrase[at]));
      // 200 draws leave one of 32 characters out with probability 0.0018; a fixed bit would leave out 16.
      if (at % 6 !== 5) expect(characters.size, `character ${at}`).toBeGreaterThan(28);
    }
  });
});
