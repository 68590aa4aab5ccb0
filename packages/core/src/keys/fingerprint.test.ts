import { describe, expect, it } from 'vitest';
import { isCairnError } from '../errors.ts';
import { formatFingerprint, parseFingerprint } from './fingerprint.ts';

const BYTES = Buffer.from('00443214c74254b635cf', 'hex');

describe('fingerprint', () => {
  it('is four groups of four, and is read in any case and grouping', () => {
    expect(formatFingerprint(BYTES)).toBe('ABCD-EFGH-IJKL-MNOP');
    for (const text of ['ABCD-EFGH-IJKL-MNOP', 'abcdefghijklmnop', ' abcd efgh ijkl mn0p ']) {
      expect(Buffer.from(parseFingerprint(text))).toEqual(BYTES);
    }
  });

  it('refuses anything else', () => {
    for (const text of ['', 'ABCD', 'ABCD-EFGH-IJKL-MNO', 'ABCD-EFGH-IJKL-MNOPQ', 'ABCD-EFGH-IJKL-MNO9']) {
      expect(() => parseFingerprint(text), text).toThrow(expect.toSatisfy((error) => isCairnError(error, 'USAGE')));
    }
  });
});
